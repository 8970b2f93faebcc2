// The rule of Gumbel MuZero.
#pragma once

#include "steps.h"

namespace muzero {

// Sequential halving: how many visits an action of the root must have to be considered by the next simulation.  In each
// phase `size` actions are visited once per round, all of them equally often; then the worse half drops out.
struct Halving {
  int32_t visits;    // what the actions of this round have
  int32_t size;      // actions that this round visits
  int32_t done;      // of them
  int32_t rounds;    // left in this phase, this one included
  int32_t per_size;  // rounds of a phase are per_size / size

  static MUZERO_INLINE Halving begin(int32_t considered, int32_t simulations) {
    int32_t phases = 0;  // log2 of considered, rounded up
    while ((int64_t{1} << phases) < considered) ++phases;
    if (considered <= 1) return {0, 1, 0, simulations, simulations};
    const int32_t per_size = simulations / phases;
    return {0, considered, 0, rounds_of(per_size, considered), per_size};
  }
  static MUZERO_INLINE int32_t rounds_of(int32_t per_size, int32_t size) {
    return per_size > size ? per_size / size : 1;
  }
  MUZERO_INLINE void advance() {
    if (++done < size) return;
    done = 0;
    visits += 1;
    if (--rounds > 0 || size == 1) return;
    size = size / 2 > 2 ? size / 2 : 2;
    rounds = rounds_of(per_size, size);
  }
};

// Gumbel MuZero with completed Q by a mixed value (Danihelka et al. 2022): sequential halving at the root, and below it
// the action whose share of visits lags most behind the improved policy.
struct Gumbel {
  static constexpr bool kLocal = true, kMass = true, kChance = false;
  float value_scale, visit_offset;
  bool rescale;
  float least_range;
  float* root_keys;  // [B, A] padded: noise, and once the search has started noise + logits, -inf where illegal
  Halving* halving;  // [B]

  MUZERO_INLINE const float* keys(const Trees& trees, int32_t row, Node& node) const {
    return node.parent == kNone ? root_keys + static_cast<size_t>(row) * trees.padded : trees.logits(node);
  }
  MUZERO_INLINE void set_keys(const Trees& trees, int32_t row, Node& root) const {
    float* to = root_keys + static_cast<size_t>(row) * trees.padded;
    const float* logits = trees.logits(root);
    for (int32_t a = 0; a < trees.padded; ++a) {
      const float key = to[a] + logits[a];
      to[a] = logits[a] == -kInfinity ? -kInfinity : key > -1e30f ? key : -1e30f;
    }
  }
  MUZERO_INLINE void simulated(int32_t row) const { halving[row].advance(); }

  // Never 0, so that the visited priors have a sum to divide by.
  MUZERO_INLINE float weight(float prior, int32_t) const {
    constexpr float kTiny = std::numeric_limits<float>::min();
    return prior > kTiny ? prior : kTiny;
  }
  MUZERO_INLINE void record(Chunk& chunk, const Edge& edge) const {
    chunk.q(edge.lane) = edge.q;
    chunk.weight(edge.lane) = edge.weight;
    chunk.visits(edge.lane) = edge.visits;
    chunk.key(edge.lane) = edge.key;
  }

  template <class View>
  MUZERO_INLINE int32_t choose(const View& view) const {
    const Completed<View> completed(*this, view);
    if (!view.is_root()) return below_root(view, completed);
    const int32_t considered = halving[view.row].visits;
    return considered == 0 ? kNone : at_root(view, completed, static_cast<float>(considered));
  }

  // The considered action of the highest score, and softmax(logits + sigma(completed q)).  policy: [A].
  template <class View>
  MUZERO_INLINE int32_t finish(const View& view, float* policy, float* scratch) const {
    using V = typename View::V;
    const Trees& trees = view.trees;
    const Completed<View> completed(*this, view);
    for (int32_t a = 0; a < trees.padded; ++a) scratch[a] = trees.logits(view.node)[a] + completed.open;
    for (int32_t i = 1; i < view.node.visits; ++i) {
      const Node& child = trees.node(view.row, i);
      if (child.visits == 0 || child.parent != 0) continue;
      const float q = child.reward + child.discount * child.value;
      scratch[child.action] = trees.logits(view.node)[child.action] + (q - completed.low) * completed.factor;
    }
    typename V::Floats most = V::all(-kInfinity), total = V::all(0.f);
    for (int32_t i = 0; i < trees.padded; i += kLanes) most = V::max(V::load(scratch + i), most);
    const typename V::Floats largest = V::all(V::largest(most));
    for (int32_t i = 0; i < trees.padded; i += kLanes) {
      const typename V::Floats power = V::exp(V::sub(V::load(scratch + i), largest));
      V::store(scratch + i, power);
      total = V::add(total, power);
    }
    const float scale = 1.f / V::sum(total);
    for (int32_t a = 0; a < trees.actions; ++a) policy[a] = scratch[a] * scale;
    const int32_t best = at_root(view, completed, completed.most_visits);
    return trees.node(view.row, best).action;
  }

 private:
  // sigma(q): (q - low) * factor, and for all edges without visits that of the mixed value (eq. 33).
  template <class View>
  struct Completed {
    using V = typename View::V;
    float low, factor, open, most_visits;

    MUZERO_INLINE Completed(const Gumbel& rule, const View& view) {
      const typename V::Floats never = V::all(-kInfinity), zero = V::all(0.f);
      typename V::Floats weight = zero, weighted = zero, most = zero;
      typename V::Floats least_q = V::all(kInfinity), most_q = never;
      view.for_each([&](const auto& lanes) MUZERO_LAMBDA {
        const typename V::Floats q = lanes.q(), prior = lanes.weight();
        const typename V::Ints used = V::greater(q, never);
        weight = V::add(weight, V::choose(used, prior, zero));
        weighted = V::add(weighted, V::choose(used, V::mul(prior, q), zero));
        least_q = V::min(V::choose(used, q, least_q), least_q);
        most_q = V::max(q, most_q);
        most = V::max(lanes.visits(), most);
      });
      const float total = static_cast<float>(view.node.visits - 1);
      const float mixed = (view.node.raw_value + total * (V::sum(weighted) / V::sum(weight))) / (1.f + total);
      most_visits = V::largest(most);
      low = 0.f;
      factor = (rule.visit_offset + most_visits) * rule.value_scale;
      if (rule.rescale) {
        float high;
        V::range(least_q, most_q, low, high);
        if (view.node.children < view.trees.actions) {
          low = mixed < low ? mixed : low;
          high = mixed > high ? mixed : high;
        }
        factor /= at_least(high - low, rule.least_range);
      }
      open = (mixed - low) * factor;
    }
    MUZERO_INLINE typename V::Floats of(const typename V::Floats& q) const {
      return V::mul(V::sub(q, V::all(low)), V::all(factor));
    }
  };

  // Eq. 14: the improved policy less visits / (1 + total visits), both times the sum that normalises the policy.
  template <class View>
  MUZERO_INLINE int32_t below_root(const View& view, const Completed<View>& completed) const {
    using V = typename View::V;
    const Node& node = view.node;
    const float open = node.open_logit + completed.open;
    typename V::Floats most = V::all(open), total = V::all(0.f);
    // -inf where unused: (-inf - low) * 0 must not become NaN.
    const auto logits = [&](const auto& lanes) MUZERO_LAMBDA {
      return V::choose(V::greater(lanes.q(), V::all(-kInfinity)), V::add(lanes.key(), completed.of(lanes.q())),
                       V::all(-kInfinity));
    };
    view.for_each([&](const auto& lanes) MUZERO_LAMBDA { most = V::max(logits(lanes), most); });
    const typename V::Floats largest = V::all(V::largest(most));
    const auto power = [&](const auto& lanes) MUZERO_LAMBDA { return V::exp(V::sub(logits(lanes), largest)); };
    view.for_each([&](const auto& lanes) MUZERO_LAMBDA { total = V::add(total, power(lanes)); });
    const float open_power = exp_of_one(open - V::largest(most));
    const float sum = V::sum(total) + open_power * node.open_mass;
    const typename V::Floats share = V::all(sum / static_cast<float>(node.visits));
    return view.best(node.open == kNone ? -kInfinity : open_power, [&](const auto& lanes) MUZERO_LAMBDA {
      const typename V::Floats behind = V::sub(power(lanes), V::mul(lanes.visits(), share));
      return V::choose(V::greater(lanes.q(), V::all(-kInfinity)), behind, V::all(-kInfinity));
    });
  }

  // The highest noise + logits + sigma(q) among the actions with `considered` visits, at least one.
  template <class View>
  MUZERO_INLINE int32_t at_root(const View& view, const Completed<View>& completed, float considered) const {
    using V = typename View::V;
    return view.best(-kInfinity, [&](const auto& lanes) MUZERO_LAMBDA {
      const typename V::Floats score = V::max(V::add(lanes.key(), completed.of(lanes.q())), V::all(-1e9f));
      return V::choose(V::equal(lanes.visits(), V::all(considered)), score, V::all(-kInfinity));
    });
  }
};

}  // namespace muzero
