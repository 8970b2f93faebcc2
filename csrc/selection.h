// Selection rules: given a node, which action to follow, and what a finished search says about its root.  steps.h lists
// what a rule offers.  A rule is a small value; what it points to belongs to the caller.
//
// A new rule is a struct in a file of its own; dispatch.h and Search::bound_ list it, Search gets a use_ function that
// makes it, bindings.cpp the function that Python calls.  The tree and the steps do not change.
#pragma once

#include "gumbel.h"
#include "puct.h"
