// The steps of a search over a batch of trees: start, select, expand and back up, finish.
#pragma once

#include "tree.h"

namespace muzero {

// A Rule has
//   kLocal                 whether its choice depends on the node and its edges alone, so that it can be made when they
//                          change, off the path of a descent that waits for memory
//   kMass                  whether it reads Node::open_mass
//   kChance                whether there are afterstates, whose edges are outcomes of chance: afterstate(node) says
//                          which nodes they are, and actions below `decisions` are decisions, the others outcomes
//   keys(trees, row, node) [A] padded: actions without visits are taken from the highest key down; -inf: never
//   weight(prior, visits)  what to keep of an edge's prior after so many visits
//   record(chunk, edge)    write what the rule reads of an edge
//   choose(view)           the child to follow, kNone for the open action
//   simulated(row)         called once per simulation, before the choices that follow it
//   finish(view, policy, scratch)  the action to play, and the policy [A], once the search is over
template <int W, class Rule>
struct Steps {
  using V = Vector<W>;

  // Make the roots.  legal: [B, A], 0 where not legal; scratch: [A] padded.
  static void start(const Trees& trees, Rule& rule, Rows rows, const Evaluation& evaluation, const uint8_t* legal,
                    float* scratch) {
    for (int32_t row = rows.first; row < rows.last; ++row) {
      Node& root = trees.node(row, 0);
      root.parent = root.chunk = root.lane = root.action = kNone;
      root.visits = 1;
      root.value_sum = root.value = root.raw_value = evaluation.value[row];
      root.reward = root.discount = root.prior = 0.f;
      root.low = kInfinity;
      root.high = -kInfinity;
      trees.chunks[row] = 0;
      const size_t first = static_cast<size_t>(row) * trees.actions;
      for (int32_t a = 0; a < trees.padded; ++a)
        scratch[a] = a < trees.actions && legal[first + a] ? evaluation.logits[first + a] : -kInfinity;
      fresh_edges(trees, root, scratch, 0, trees.actions);
      if (rule.keys(trees, row, root) != trees.logits(root)) {
        rule.set_keys(trees, row, root);
        open_next(trees, rule, row, root, kInfinity, kNone);
      }
      root.next = kNone;
    }
  }

  // Back the evaluation of the selected edges up, if there is one, and select the next, if wanted.
  static void advance(const Trees& trees, Rule& rule, Rows rows, const Evaluation* evaluation, bool select,
                      int32_t simulation, const Selection& selection) {
    const int32_t fresh = simulation + (evaluation ? 2 : 1);
    for (int32_t row = rows.first; row < rows.last; ++row) {
      if (evaluation) {
        Node& leaf = expand(trees, rule, *evaluation, simulation, selection, row);
        rule.simulated(row);
        back_up(trees, rule, row, leaf);
      }
      if (select) descend(trees, rule, row, fresh, selection);
    }
  }

  // Write the results of the roots.  scratch: [A] padded.
  static void finish(const Trees& trees, const Rule& rule, Rows rows, const Outcome& outcome, float* scratch) {
    for (int32_t row = rows.first; row < rows.last; ++row) {
      Node& root = trees.node(row, 0);
      const size_t first = static_cast<size_t>(row) * trees.actions;
      for (int32_t a = 0; a < trees.actions; ++a) {
        outcome.visits[first + a] = 0;
        outcome.q[first + a] = 0.f;
      }
      for (int32_t edge = 0, chunk = kNone; edge < root.children; ++edge) {
        if (edge > 0 && edge % kLanes == 0) chunk = chunk == kNone ? root.more : trees.more(row, chunk).next;
        const Node& child = trees.node(row, trees.chunk(row, root, chunk).child(edge % kLanes));
        outcome.visits[first + child.action] = child.visits;
        outcome.q[first + child.action] = child.reward + child.discount * child.value;
      }
      outcome.value[row] = root.value;
      if (root.children <= 4) clear_rest(root.edges);
      outcome.action[row] =
          rule.finish(View<W, kLanes, true>{trees, row, root, root, nothing()}, outcome.policy + first, scratch);
    }
  }

 private:
  static MUZERO_INLINE Edge nothing() { return {kNone - 1, kNone, 0.f, 0.f, 0.f, 0.f}; }

  // The child that the rule follows from a node with an edge at least.
  static MUZERO_INLINE int32_t choose(const Trees& trees, const Rule& rule, int32_t row, Node& node, const Node& root,
                                      const Edge& changed) {
    if (node.children <= 4) return rule.choose(View<W, 4, false>{trees, row, node, root, changed});
    return choose_of_many(trees, rule, row, node, root, changed);
  }
  static __attribute__((noinline)) int32_t choose_of_many(const Trees& trees, const Rule& rule, int32_t row, Node& node,
                                                          const Node& root, const Edge& changed) {
    if (node.more == kNone) return rule.choose(View<W, kLanes, false>{trees, row, node, root, changed});
    return rule.choose(View<W, kLanes, true>{trees, row, node, root, changed});
  }

  // Make a node without children from its logits, -inf where illegal; kLanes - 1 beyond the last are read and not used.
  // Only the actions from `first` up to `last` are its own.
  static MUZERO_INLINE void fresh_edges(const Trees& trees, Node& node, const float* from, int32_t first,
                                        int32_t last) {
    float* logits = trees.logits(node);
    const typename V::Floats never = V::all(-kInfinity);
    Largest<W> best;
    for (int32_t i = 0; i < trees.padded; i += kLanes) {
      typename V::Floats these = V::load_anywhere(from + i);
      if (i < first) these = V::choose(V::less(V::lanes(i), V::all_int(first)), never, these);
      if (i + kLanes > last) these = V::choose(V::less(V::lanes(i), V::all_int(last)), these, never);
      V::store(logits + i, these);
      best.consider(these, i);
    }
    const typename V::Floats largest = V::all(best.number());
    const typename V::Floats least = V::all(std::numeric_limits<float>::lowest());
    typename V::Floats total = V::all(0.f);
    for (int32_t i = 0; i < trees.padded; i += kLanes) {
      const typename V::Floats these = V::load(logits + i);
      const typename V::Floats less = V::max(V::sub(these, largest), least);
      const typename V::Floats kept = V::choose(V::greater(these, never), less, never);
      V::store(logits + i, kept);
      total = V::add(total, V::exp(kept));
    }
    node.open = best.index();
    node.open_logit = 0.f;
    node.open_mass = V::sum(total);
    node.scale = node.open_prior = 1.f / node.open_mass;
    node.children = 0;
    node.next = node.more = node.last = kNone;
  }

  // Find the open action that follows the one of `key` and `index`: the highest key below, ties by index.
  static MUZERO_INLINE void open_next(const Trees& trees, const Rule& rule, int32_t row, Node& node, float key,
                                      int32_t index) {
    const float* keys = rule.keys(trees, row, node);
    const float* logits = trees.logits(node);
    const typename V::Floats never = V::all(-kInfinity), last = V::all(key);
    const auto left = [&](const typename V::Floats& these, int32_t i) MUZERO_LAMBDA {
      const typename V::Ints later = V::less(V::all_int(index), V::lanes(i));
      return V::either(V::greater(last, these), V::both(V::equal(last, these), later));
    };
    Largest<W> best;
    for (int32_t i = 0; i < trees.padded; i += kLanes) {
      const typename V::Floats these = V::load(keys + i);
      best.consider(V::choose(left(these, i), these, never), i);
    }
    if (!(best.number() > -kInfinity)) {
      node.open = kNone;
      node.open_logit = node.open_prior = -kInfinity;
      node.open_mass = 0.f;
      return;
    }
    node.open = best.index();
    node.open_logit = logits[node.open];
    node.open_prior = exp_of_one(node.open_logit) * node.scale;
    if constexpr (Rule::kMass) {
      const typename V::Floats largest = V::all(node.open_logit);
      typename V::Floats total = V::all(0.f);
      for (int32_t i = 0; i < trees.padded; i += kLanes) {
        const typename V::Floats power = V::exp(V::sub(V::load(logits + i), largest));
        total = V::add(total, V::choose(left(V::load(keys + i), i), power, V::all(0.f)));
      }
      node.open_mass = V::sum(total);
    }
  }

  // All but the first four lanes, which are all that is read of a node with four edges.
  static MUZERO_INLINE void clear_rest(Chunk& chunk) {
    for (int four = 1; four < 4; ++four) chunk.clear(four);
  }

  // Give a node an edge to `child` by its open action.
  static MUZERO_INLINE void add_edge(const Trees& trees, const Rule& rule, int32_t row, Node& node, int32_t index,
                                     Node& child) {
    child.chunk = node.last;
    child.lane = node.children % kLanes;
    child.action = node.open;
    child.prior = node.open_prior;
    if (child.lane == 0 && node.children > 0) {
      child.chunk = trees.chunks[row]++;
      (node.last == kNone ? node.more : trees.more(row, node.last).next) = child.chunk;
      node.last = child.chunk;
      trees.more(row, child.chunk).next = kNone;
    }
    Chunk& chunk = trees.chunk(row, node, child.chunk);
    if (child.lane == 0) chunk.clear(0);
    if (child.lane == (child.chunk == kNone ? 4 : 0)) clear_rest(chunk);
    chunk.child(child.lane) = index;
    chunk.action(child.lane) = child.action;
    node.children += 1;
    open_next(trees, rule, row, node, rule.keys(trees, row, node)[child.action], child.action);
  }

  // Hang the evaluated node on the selected edge; at max_depth it may be there already, and is evaluated again.
  static MUZERO_INLINE Node& expand(const Trees& trees, const Rule& rule, const Evaluation& evaluation,
                                    int32_t simulation, const Selection& selection, int32_t row) {
    const int32_t index = selection.node[row];
    Node& node = trees.node(row, index);
    if (index != simulation + 1) {
      trees.node(row, simulation + 1).visits = 0;
    } else {
      node.parent = selection.parent[row];
      node.visits = 0;
      add_edge(trees, rule, row, trees.node(row, node.parent), index, node);
    }
    const float discount = evaluation.discount[row];
    node.visits += 1;
    node.value_sum = node.raw_value = node.value = evaluation.value[row];
    node.reward = evaluation.reward[row];
    node.discount = discount < -1.f ? -1.f : discount > 1.f ? 1.f : discount;
    int32_t own = 0, own_end = trees.actions;
    if constexpr (Rule::kChance) {
      // The step to an afterstate earns nothing and takes no time.
      if (rule.afterstate(node)) {
        node.reward = 0.f;
        node.discount = 1.f;
        own = rule.decisions;
      } else {
        own_end = rule.decisions;
      }
    }
    fresh_edges(trees, node, evaluation.logits + static_cast<size_t>(row) * trees.actions, own, own_end);
    return node;
  }

  // Add the return of a leaf to all edges and nodes above it, and choose again which child to follow from each of them.
  static MUZERO_INLINE void back_up(const Trees& trees, const Rule& rule, int32_t row, const Node& leaf) {
    Node& root = trees.node(row, 0);
    float result = leaf.raw_value;
    for (const Node* child = &leaf; child->parent != kNone;) {
      Node& node = trees.node(row, child->parent);
      const float q = child->reward + child->discount * child->value;
      result = child->reward + child->discount * result;
      node.visits += 1;
      node.value_sum += result;
      node.value = static_cast<float>(node.value_sum / node.visits);
      const Edge edge = {child->chunk,
                         child->lane,
                         q,
                         rule.weight(child->prior, child->visits),
                         static_cast<float>(child->visits),
                         rule.keys(trees, row, node)[child->action]};
      if constexpr (Rule::kLocal) {
        node.next = choose(trees, rule, row, node, root, edge);
      } else {
        root.low = q < root.low ? q : root.low;
        root.high = q > root.high ? q : root.high;
      }
      rule.record(trees.chunk(row, node, child->chunk), edge);
      child = &node;
    }
  }

  // Follow the rule from the root to an edge without a child, or to max_depth.  fresh: index of a node made there.
  static MUZERO_INLINE void descend(const Trees& trees, const Rule& rule, int32_t row, int32_t fresh,
                                    const Selection& selection) {
    Node& root = trees.node(row, 0);
    int32_t index = 0;
    for (int32_t depth = 1;; ++depth) {
      Node& node = trees.node(row, index);
      int32_t next = node.next;
      if constexpr (!Rule::kLocal)
        if (node.children > 0) next = choose(trees, rule, row, node, root, nothing());
      if (next == kNone || depth == trees.max_depth) {
        selection.parent[row] = index;
        selection.action[row] = next == kNone ? node.open : trees.node(row, next).action;
        selection.node[row] = next == kNone ? fresh : next;
        return;
      }
      index = next;
    }
  }
};

}  // namespace muzero
