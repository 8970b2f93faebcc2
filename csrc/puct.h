// The rule of MuZero and AlphaZero, pUCT, with its three ways to scale q, and the rule of Stochastic MuZero.
#pragma once

#include "steps.h"

namespace muzero {

// How q is scaled: (q - low) * factor.  An edge without visits counts as low.
struct Scale {
  float low, factor;
};

// Q relative to the node's own value and those of its children (the default in mctx).
struct Siblings {
  static constexpr bool kLocal = true;

  template <class View>
  MUZERO_INLINE Scale scale(const View& view) const {
    using V = typename View::V;
    const typename V::Floats value = V::all(view.node.value), never = V::all(-kInfinity);
    typename V::Floats least = value, most = value;
    view.for_each([&](const auto& lanes) MUZERO_LAMBDA {
      const typename V::Floats q = lanes.q();
      least = V::min(V::choose(V::greater(q, never), q, value), least);
      most = V::max(q, most);
    });
    float low, high;
    V::range(least, most, low, high);
    return {low, 1.f / at_least(high - low, 1e-8f)};
  }
};

// Q relative to a known range.
struct Range {
  static constexpr bool kLocal = true;
  float low, factor;

  Range(float low, float high) : low(low), factor(1.f / (high - low)) {}
  Range() = default;

  template <class View>
  MUZERO_INLINE Scale scale(const View&) const {
    return {low, factor};
  }
};

// Q relative to the range of all q ever seen in the tree (MuZero, Appendix B, eq. 5).  The range counts as 0.01 at
// least, so that differences that are noise do not decide while a tree has seen little else.
struct WholeTree {
  static constexpr bool kLocal = false;

  template <class View>
  MUZERO_INLINE Scale scale(const View& view) const {
    const float range = view.root.high - view.root.low;
    return {range >= 0.f ? view.root.low : 0.f, 1.f / at_least(range, 0.01f)};
  }
};

// pUCT with visit-dependent exploration (MuZero, Appendix B, eq. 2).
template <class Normalize>
struct Puct {
  static constexpr bool kLocal = Normalize::kLocal, kMass = false, kChance = false;
  Normalize normalize;
  const float* explore;  // [N + 1] by a node's visits n: sqrt(n) * (c_init + log((n + c_base + 1) / c_base))

  static MUZERO_INLINE const float* keys(const Trees& trees, int32_t, Node& node) { return trees.logits(node); }
  static MUZERO_INLINE void set_keys(const Trees&, int32_t, Node&) {}
  MUZERO_INLINE void simulated(int32_t) const {}

  // Divided here, once per visit, and not once per edge and descent.
  MUZERO_INLINE float weight(float prior, int32_t visits) const { return prior / static_cast<float>(1 + visits); }
  MUZERO_INLINE void record(Chunk& chunk, const Edge& edge) const {
    chunk.q(edge.lane) = edge.q;
    chunk.weight(edge.lane) = edge.weight;
  }

  template <class View>
  MUZERO_INLINE int32_t choose(const View& view) const {
    using V = typename View::V;
    const Scale scale = normalize.scale(view);
    const float bonus = explore[view.node.visits];
    return view.best(bonus * view.node.open_prior, [&](const auto& lanes) MUZERO_LAMBDA {
      const typename V::Floats value = V::mul(V::sub(lanes.q(), V::all(scale.low)), V::all(scale.factor));
      return V::add(value, V::mul(V::all(bonus), lanes.weight()));
    });
  }

  // The most visited action, and the share of visits.  policy: [A].
  template <class View>
  MUZERO_INLINE int32_t finish(const View& view, float* policy, float*) const {
    const Node& root = view.node;
    for (int32_t a = 0; a < view.trees.actions; ++a) policy[a] = 0.f;
    int32_t action = kNone, most = 0;
    for (int32_t i = 1; i < root.visits; ++i) {
      const Node& child = view.trees.node(view.row, i);
      if (child.visits == 0 || child.parent != 0) continue;
      policy[child.action] = static_cast<float>(child.visits) / static_cast<float>(root.visits - 1);
      if (child.visits < most || (child.visits == most && child.action > action)) continue;
      most = child.visits;
      action = child.action;
    }
    return action;
  }
};

// pUCT with nodes where chance decides (Antonoglou et al. 2022, Stochastic MuZero): a decision leads to an afterstate,
// and from there an outcome leads on.  At an afterstate the outcome follows whose visits lag most behind its
// probability.
template <class Normalize>
struct Stochastic : Puct<Normalize> {
  static constexpr bool kChance = true;
  int32_t decisions;

  MUZERO_INLINE bool afterstate(const Node& node) const { return node.action != kNone && node.action < decisions; }

  template <class View>
  MUZERO_INLINE int32_t choose(const View& view) const {
    if (!afterstate(view.node)) return Puct<Normalize>::choose(view);
    return view.best(view.node.open_prior, [](const auto& lanes) MUZERO_LAMBDA { return lanes.weight(); });
  }
};

}  // namespace muzero
