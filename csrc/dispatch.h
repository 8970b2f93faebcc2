// The steps of a search for each rule and each instruction set: the one place that lists both.
#pragma once

#include "selection.h"

namespace muzero {

template <class Rule>
struct Kernels {
  decltype(&Steps<4, Rule>::start) start;
  decltype(&Steps<4, Rule>::advance) advance;
  decltype(&Steps<4, Rule>::finish) finish;
};

// Defined in dispatch.cpp, which is compiled once per W with the instructions that W stands for.
template <int W, class Rule>
Kernels<Rule> kernels();

#define MUZERO_FOR_EACH_RULE(apply, W) \
  apply(W, Puct<Siblings>);            \
  apply(W, Puct<Range>);               \
  apply(W, Puct<WholeTree>);           \
  apply(W, Stochastic<Siblings>);      \
  apply(W, Stochastic<Range>);         \
  apply(W, Stochastic<WholeTree>);     \
  apply(W, Gumbel)

#define MUZERO_DECLARE(W, Rule) extern template Kernels<Rule> kernels<W, Rule>()
MUZERO_FOR_EACH_RULE(MUZERO_DECLARE, 4);
MUZERO_FOR_EACH_RULE(MUZERO_DECLARE, 8);
MUZERO_FOR_EACH_RULE(MUZERO_DECLARE, 16);
#undef MUZERO_DECLARE

}  // namespace muzero
