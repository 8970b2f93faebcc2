// The steps of a search, compiled for the instruction set whose registers hold MUZERO_WIDTH floats.
//
// Nothing here may call a function that another file could define too (no standard library): the linker keeps one copy
// of those, and it might be one with instructions that the processor lacks.
#include "dispatch.h"

namespace muzero {

template <int W, class Rule>
Kernels<Rule> kernels() {
  return {&Steps<W, Rule>::start, &Steps<W, Rule>::advance, &Steps<W, Rule>::finish};
}

#define MUZERO_DEFINE(W, Rule) template Kernels<Rule> kernels<W, Rule>()
MUZERO_FOR_EACH_RULE(MUZERO_DEFINE, MUZERO_WIDTH);

}  // namespace muzero
