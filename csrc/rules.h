// Selection rules: given a node, which action to follow, and what a finished search says about its root.  A rule is a
// small value (see Steps in tree.h for what it offers), so a new search variant is a new struct here and a line in
// kernels.h; the tree does not change.  What a rule points to belongs to the caller.
#pragma once

#include "tree.h"

namespace muzero {

// Where an affine scale puts 0 and how much it stretches; what an edge without visits counts as.
struct Scale {
  float low, factor;
};

// Q relative to the node's own value and those of its children (the default in mctx).
struct Siblings {
  static constexpr bool kLocal = true;

  template <int W>
  MUZERO_INLINE Scale scale(const View& view) const {
    using V = Vector<W>;
    const typename V::Floats value = V::all(view.node.value), never = V::all(-kInfinity);
    typename V::Floats least = value, most = value;
    for (int32_t i = 0; i < view.padded; i += kLanes) {
      const typename V::Floats q = V::load(view.edges.q + i);
      least = V::min(V::choose(V::greater(q, never), q, value), least);
      most = V::max(q, most);
    }
    const float low = V::smallest(least), range = V::largest(most) - low;
    return {low, 1.f / (range > 1e-8f ? range : 1e-8f)};
  }
};

// Q relative to a known range.
struct Range {
  static constexpr bool kLocal = true;
  float low, high;

  template <int W>
  MUZERO_INLINE Scale scale(const View&) const {
    return {low, 1.f / (high - low)};
  }
};

// Q relative to the range of all q ever seen in the tree (MuZero, Appendix B, eq. 5).  The range counts as 0.01 at
// least, so that differences that are noise do not decide while a tree has seen little else.
struct WholeTree {
  static constexpr bool kLocal = false;

  template <int W>
  MUZERO_INLINE Scale scale(const View& view) const {
    const float range = view.root.high - view.root.low;
    return {range >= 0.f ? view.root.low : 0.f, 1.f / (range > 0.01f ? range : 0.01f)};
  }
};

// pUCT with visit-dependent exploration (MuZero, Appendix B, eq. 2).
template <class Normalize>
struct Puct {
  static constexpr bool kLocal = Normalize::kLocal;
  Normalize normalize;
  const float* explore;  // [N + 1] by a node's visits n: sqrt(n) * (c_init + log((n + c_base + 1) / c_base))

  // Divided here, once per visit, and not once per edge and descent.
  MUZERO_INLINE float weight(float prior, int32_t visits) const { return prior / static_cast<float>(1 + visits); }

  // -inf keeps illegal and padded actions out of every choice.
  template <int W>
  MUZERO_INLINE typename Vector<W>::Floats weigh(const typename Vector<W>::Floats& prior,
                                                 const typename Vector<W>::Ints& legal) const {
    return Vector<W>::choose(legal, prior, Vector<W>::all(-kInfinity));
  }

  template <int W>
  MUZERO_INLINE int32_t choose(const View& view) const {
    using V = Vector<W>;
    const Scale scale = normalize.template scale<W>(view);
    const typename V::Floats low = V::all(scale.low), factor = V::all(scale.factor), never = V::all(-kInfinity);
    const typename V::Floats bonus = V::all(explore[view.node.visits]);
    Best<W> best;
    for (int32_t i = 0; i < view.padded; i += kLanes) {
      const typename V::Floats q = V::load(view.edges.q + i);
      const typename V::Floats known = V::choose(V::greater(q, never), q, low);
      const typename V::Floats value = V::mul(V::sub(known, low), factor);
      best.consider(V::add(value, V::mul(bonus, V::load(view.edges.weight + i))), i);
    }
    return best.index(view.actions);
  }

  MUZERO_INLINE void simulated(int32_t) const {}

  // The most visited action, and the share of visits.  policy: [A].
  template <int W>
  MUZERO_INLINE int32_t finish(const View& view, float* policy) const {
    using V = Vector<W>;
    Best<W> best;
    for (int32_t i = 0; i < view.padded; i += kLanes) {
      const typename V::Ints legal = V::greater(V::load(view.edges.logits + i), V::all(-kInfinity));
      best.consider(V::choose(legal, V::load(view.edges.visits + i), V::all(-1.f)), i);
    }
    const float total = static_cast<float>(view.node.visits - 1);
    for (int32_t a = 0; a < view.actions; ++a) policy[a] = view.edges.visits[a] / total;
    return best.index(view.actions);
  }
};

// Sequential halving: how many visits an action of the root must have to be considered by the next simulation.  In each
// phase `size` actions are visited once per round, all of them equally often; then the better half goes on.
struct Halving {
  int32_t visits;    // what the actions of this round have
  int32_t size;      // actions that this round visits
  int32_t done;      // of them
  int32_t rounds;    // left in this phase, this one included
  int32_t per_size;  // rounds of a phase are per_size / size

  MUZERO_INLINE static Halving begin(int32_t considered, int32_t simulations) {
    int32_t phases = 0;  // log2 of considered, rounded up
    while ((int64_t{1} << phases) < considered) ++phases;
    if (considered <= 1) return {0, 1, 0, simulations, simulations};
    const int32_t per_size = simulations / phases;
    return {0, considered, 0, rounds_of(per_size, considered), per_size};
  }
  MUZERO_INLINE static int32_t rounds_of(int32_t per_size, int32_t size) {
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
  static constexpr bool kLocal = true;
  float value_scale, visit_offset;
  bool rescale;
  const float* noise;  // [B, A] padded
  Halving* halving;    // [B]

  MUZERO_INLINE float weight(float prior, int32_t) const { return prior; }

  // Never 0, so that the visited priors have a sum to divide by.
  template <int W>
  MUZERO_INLINE typename Vector<W>::Floats weigh(const typename Vector<W>::Floats& prior,
                                                 const typename Vector<W>::Ints&) const {
    return Vector<W>::max(prior, Vector<W>::all(std::numeric_limits<float>::min()));
  }

  MUZERO_INLINE void simulated(int32_t row) const { halving[row].advance(); }

  template <int W>
  MUZERO_INLINE int32_t choose(const View& view) const {
    const Completed<W> completed(*this, view);
    if (view.is_root()) return at_root<W>(view, completed, static_cast<float>(halving[view.row].visits));
    return below_root<W>(view, completed);
  }

  // The considered action of the highest score, and softmax(logits + sigma(completed q)).  policy: [A].
  template <int W>
  MUZERO_INLINE int32_t finish(const View& view, float* policy) const {
    const Completed<W> completed(*this, view);
    const float scale = 1.f / improve<W>(view, completed);
    for (int32_t a = 0; a < view.actions; ++a) policy[a] = view.scratch[a] * scale;
    return at_root<W>(view, completed, completed.most_visits);
  }

 private:
  // sigma(q) of all actions, those without visits counted as the mixed value (eq. 33).
  template <int W>
  struct Completed {
    using V = Vector<W>;
    float mixed, low, factor, most_visits;

    MUZERO_INLINE Completed(const Gumbel& rule, const View& view) {
      const typename V::Floats never = V::all(-kInfinity), zero = V::all(0.f);
      typename V::Floats weight = zero, weighted = zero, most = zero, count = zero;
      typename V::Floats least_q = V::all(kInfinity), most_q = never;
      for (int32_t i = 0; i < view.padded; i += kLanes) {
        const typename V::Floats q = V::load(view.edges.q + i), prior = V::load(view.edges.weight + i);
        const typename V::Ints visited = V::greater(q, never);
        weight = V::add(weight, V::choose(visited, prior, zero));
        weighted = V::add(weighted, V::choose(visited, V::mul(prior, q), zero));
        count = V::add(count, V::choose(visited, V::all(1.f), zero));
        least_q = V::min(V::choose(visited, q, least_q), least_q);
        most_q = V::max(q, most_q);
        most = V::max(V::load(view.edges.visits + i), most);
      }
      const float total = static_cast<float>(view.node.visits - 1);
      most_visits = V::largest(most);
      mixed = view.node.raw_value;
      if (most_visits > 0.f) mixed = (mixed + total * (V::sum(weighted) / V::sum(weight))) / (1.f + total);
      low = 0.f;
      factor = (rule.visit_offset + most_visits) * rule.value_scale;
      if (!rule.rescale) return;
      low = V::smallest(least_q);
      float high = V::largest(most_q);
      if (V::sum(count) < static_cast<float>(view.actions)) {
        low = mixed < low ? mixed : low;
        high = mixed > high ? mixed : high;
      }
      const float range = high - low;
      factor /= range > 1e-8f ? range : 1e-8f;
    }

    MUZERO_INLINE typename V::Floats of(const View& view, int32_t i) const {
      const typename V::Floats q = V::load(view.edges.q + i);
      const typename V::Floats known = V::choose(V::greater(q, V::all(-kInfinity)), q, V::all(mixed));
      return V::mul(V::sub(known, V::all(low)), V::all(factor));
    }
  };

  // exp(logits + sigma(q) - their largest) to view.scratch; returns the sum.
  template <int W>
  MUZERO_INLINE float improve(const View& view, const Completed<W>& completed) const {
    using V = Vector<W>;
    typename V::Floats most = V::all(-kInfinity), total = V::all(0.f);
    for (int32_t i = 0; i < view.padded; i += kLanes) {
      const typename V::Floats score = V::add(V::load(view.edges.logits + i), completed.of(view, i));
      V::store(view.scratch + i, score);
      most = V::max(score, most);
    }
    const typename V::Floats largest = V::all(V::largest(most));
    for (int32_t i = 0; i < view.padded; i += kLanes) {
      const typename V::Floats power = V::exp(V::sub(V::load(view.scratch + i), largest));
      V::store(view.scratch + i, power);
      total = V::add(total, power);
    }
    return V::sum(total);
  }

  // Eq. 14: the improved policy less visits / (1 + total visits), both times the sum that normalises the policy.
  template <int W>
  MUZERO_INLINE int32_t below_root(const View& view, const Completed<W>& completed) const {
    using V = Vector<W>;
    const typename V::Floats share = V::all(improve<W>(view, completed) / static_cast<float>(view.node.visits));
    Best<W> best;
    for (int32_t i = 0; i < view.padded; i += kLanes) {
      const typename V::Floats behind =
          V::sub(V::load(view.scratch + i), V::mul(V::load(view.edges.visits + i), share));
      const typename V::Ints real = V::less(V::lanes(i), V::all_int(view.actions));
      best.consider(V::choose(real, behind, V::all(-kInfinity)), i);
    }
    return best.index(view.actions);
  }

  // The highest noise + logits + sigma(q) among the legal actions with `considered` visits.
  template <int W>
  MUZERO_INLINE int32_t at_root(const View& view, const Completed<W>& completed, float considered) const {
    using V = Vector<W>;
    const typename V::Floats never = V::all(-kInfinity);
    const float* row_noise = noise + static_cast<size_t>(view.row) * view.padded;
    Best<W> best;
    for (int32_t i = 0; i < view.padded; i += kLanes) {
      const typename V::Floats logits = V::load(view.edges.logits + i);
      const typename V::Floats score =
          V::add(V::add(V::load(row_noise + i), logits), completed.of(view, i));
      const typename V::Ints open = V::both(V::greater(logits, never),
                                            V::equal(V::load(view.edges.visits + i), V::all(considered)));
      best.consider(V::choose(open, V::max(score, V::all(-1e9f)), never), i);
    }
    return best.index(view.actions);
  }
};

}  // namespace muzero
