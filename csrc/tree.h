// A batch of independent search trees in flat memory.
//
// Layout.  B trees of at most N nodes and exactly A actions, in one block of memory that the caller owns: tree after
// tree, and in a tree node after node.  A node is a 64-byte Node followed by five arrays with a float or integer per
// action, padded to a multiple of 16 and aligned, so what a descent reads of a node lies together.  Node 0 is the root;
// simulation s adds node s + 1.  Memory is not cleared: what is read was written before.
// Sign.    A value is seen by the player to move at its node.  An edge whose discount is negative hands the turn over;
// nothing else knows about players.
// Scope.   No networks, no randomness, no clock, no allocation: same calls, same trees.  Tree b touches only its own
// memory, so rows may run in any order, or side by side.
//
// A node is created with one visit, its own evaluation, so below the root the visits of a node are those of the edge
// that leads to it, and the visits of its edges add up to one less.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "vector.h"

namespace muzero {

constexpr int32_t kNone = -1;

struct alignas(64) Node {
  double value_sum;  // of the network's value and all returns backed up to here
  int32_t parent;    // kNone at the root
  int32_t action;    // the parent's action that leads here
  int32_t visits;    // 0: simulation s went to a node that was there before, so this one was never made
  int32_t best;      // the action that the rule follows from here (rules with kLocal only)
  int32_t next;      // the child under `best`, or kNone
  float value;       // value_sum / visits
  float raw_value;   // the network's value
  float reward;      // of the edge that leads here
  float discount;
  float prior;       // as `weight` of that edge was before its first visit
  float low, high;   // in the root: range of all q ever seen in this tree (rules without kLocal only)
};

// The edges of a node, [A] padded; an illegal or padded action has logits -inf.
struct Edges {
  float* logits;   // the network's, less the largest of them; -3.4e38 at the least for a legal action
  float* weight;   // the prior as the rule wants it: see Rule::weight
  float* q;        // reward + discount * mean value of the child; -inf before the first visit
  float* visits;   // whole numbers, in floats because rules compute with them
  int32_t* child;  // kNone before the first visit
};

// What the network said about B states, and about the steps that lead there.
struct Evaluation {
  const float* reward;    // [B]
  const float* discount;  // [B]
  const float* value;     // [B]
  const float* logits;    // [B, A]
};

// The edges chosen by a simulation, and the index of the node to hang on each.
struct Selection {
  int32_t* parent;  // [B]
  int32_t* action;  // [B]
  int32_t* node;    // [B]
};

// What a search found at the roots.
struct Outcome {
  int64_t* action;  // [B]
  float* policy;    // [B, A]
  float* value;     // [B]
  int32_t* visits;  // [B, A]
  float* q;         // [B, A], 0 without visits
};

// Sizes and memory of the trees.  Only a view: copies share the memory.
struct Trees {
  std::byte* memory;  // aligned to 64 bytes
  int32_t batch, nodes, actions;
  int32_t max_depth;  // edges on the longest path
  int32_t padded;     // actions, rounded up to a multiple of kLanes
  size_t block;       // bytes of a node with its edges

  static MUZERO_INLINE int64_t pad(int64_t actions) { return (actions + kLanes - 1) / kLanes * kLanes; }
  static MUZERO_INLINE int64_t block_bytes(int64_t actions) {
    return static_cast<int64_t>(sizeof(Node)) + 5 * 4 * pad(actions);
  }

  MUZERO_INLINE Node& node(int32_t row, int32_t index) const {
    return *reinterpret_cast<Node*>(memory + (static_cast<size_t>(row) * nodes + index) * block);
  }
  MUZERO_INLINE Edges edges(Node& node) const {
    float* first = reinterpret_cast<float*>(&node + 1);
    return {first, first + padded, first + 2 * padded, first + 3 * padded,
            reinterpret_cast<int32_t*>(first + 4 * padded)};
  }
};

// What a selection rule may read: one node, its edges, and which tree they are in.
struct View {
  const Node& node;
  Edges edges;
  const Node& root;  // of the tree
  int32_t row, actions, padded;
  float* scratch;  // [A] padded, for the rule to use

  MUZERO_INLINE bool is_root() const { return &node == &root; }
};

// The steps of a search.  A Rule has
//   kLocal                     whether its choice depends on the node and its edges alone, so that it can be made when
//                              they change, off the path of a descent that waits for memory
//   weight(prior, visits)      what to keep of an edge's prior after so many visits
//   weigh<W>(prior, legal)     the same for 16 edges without visits
//   choose<W>(view)            the action to follow
//   simulated(row)             called once per simulation, before the choices that follow it
//   finish<W>(view, policy)    the action to play, and the policy [A], once the search is over
template <int W, class Rule>
struct Steps {
  using V = Vector<W>;

  // Make the roots.  value: [B]; logits: [B, A]; legal: [B, A], 0 or 1.
  static void start(const Trees& trees, Rule& rule, const float* value, const float* logits, const uint8_t* legal,
                    float* scratch) {
    for (int32_t row = 0; row < trees.batch; ++row) {
      Node& root = trees.node(row, 0);
      root = {value[row], kNone, kNone, 1, 0, kNone, value[row], value[row], 0.f, 0.f, 0.f, kInfinity, -kInfinity};
      const size_t first = static_cast<size_t>(row) * trees.actions;
      Edges edges = trees.edges(root);
      copy_logits(trees, edges, logits + first);
      for (int32_t a = 0; a < trees.actions; ++a)
        if (!legal[first + a]) edges.logits[a] = -kInfinity;
      fresh_edges(trees, rule, edges);
      follow(trees, rule, row, root, scratch);
    }
  }

  // Back the evaluation of the selected edges up, if there is one, and select the next, if wanted.
  static void advance(const Trees& trees, Rule& rule, const Evaluation* evaluation, bool select, int32_t simulation,
                      const Selection& selection, float* scratch) {
    for (int32_t row = 0; row < trees.batch; ++row) {
      if (evaluation) {
        Node& leaf = expand(trees, rule, *evaluation, simulation, selection, row, scratch);
        rule.simulated(row);
        back_up(trees, rule, row, leaf);
        if constexpr (Rule::kLocal)
          for (int32_t up = leaf.parent; up != kNone; up = trees.node(row, up).parent)
            follow(trees, rule, row, trees.node(row, up), scratch);
      }
      if (select) descend(trees, rule, row, simulation + (evaluation ? 2 : 1), selection, scratch);
    }
  }

  // Say what the roots are worth.
  static void finish(const Trees& trees, const Rule& rule, const Outcome& outcome, float* scratch) {
    for (int32_t row = 0; row < trees.batch; ++row) {
      Node& root = trees.node(row, 0);
      const View seen = view(trees, row, root, scratch);
      const size_t first = static_cast<size_t>(row) * trees.actions;
      outcome.action[row] = rule.template finish<W>(seen, outcome.policy + first);
      outcome.value[row] = root.value;
      for (int32_t a = 0; a < trees.actions; ++a) {
        outcome.visits[first + a] = static_cast<int32_t>(seen.edges.visits[a]);
        outcome.q[first + a] = seen.edges.visits[a] > 0 ? seen.edges.q[a] : 0.f;
      }
    }
  }

 private:
  static MUZERO_INLINE View view(const Trees& trees, int32_t row, Node& node, float* scratch) {
    return {node, trees.edges(node), trees.node(row, 0), row, trees.actions, trees.padded, scratch};
  }

  // Keep the rule's choice at a node until the node changes.
  static MUZERO_INLINE void follow(const Trees& trees, const Rule& rule, int32_t row, Node& node, float* scratch) {
    if constexpr (Rule::kLocal) {
      node.best = rule.template choose<W>(view(trees, row, node, scratch));
      node.next = trees.edges(node).child[node.best];
    }
  }

  static MUZERO_INLINE void copy_logits(const Trees& trees, const Edges& edges, const float* logits) {
    std::memcpy(edges.logits, logits, sizeof(float) * static_cast<size_t>(trees.actions));
    for (int32_t a = trees.actions; a < trees.padded; ++a) edges.logits[a] = -kInfinity;
  }

  // Turn the logits, -inf where illegal, into the edges of a node without children.
  static MUZERO_INLINE void fresh_edges(const Trees& trees, const Rule& rule, const Edges& edges) {
    typename V::Floats most = V::load(edges.logits);
    for (int32_t i = kLanes; i < trees.padded; i += kLanes) most = V::max(most, V::load(edges.logits + i));
    const typename V::Floats largest = V::all(V::largest(most));
    const typename V::Floats never = V::all(-kInfinity), least = V::all(std::numeric_limits<float>::lowest());
    typename V::Floats total = V::all(0.f);
    for (int32_t i = 0; i < trees.padded; i += kLanes) {
      const typename V::Floats logits = V::load(edges.logits + i);
      const typename V::Floats less = V::max(V::sub(logits, largest), least);
      const typename V::Floats kept = V::choose(V::greater(logits, never), less, never);
      const typename V::Floats power = V::exp(kept);
      V::store(edges.logits + i, kept);
      V::store(edges.weight + i, power);
      V::store(edges.q + i, never);
      V::store(edges.visits + i, V::all(0.f));
      V::store_int(edges.child + i, V::all_int(kNone));
      total = V::add(total, power);
    }
    const typename V::Floats scale = V::all(1.f / V::sum(total));
    for (int32_t i = 0; i < trees.padded; i += kLanes) {
      const typename V::Ints legal = V::greater(V::load(edges.logits + i), never);
      V::store(edges.weight + i, rule.template weigh<W>(V::mul(V::load(edges.weight + i), scale), legal));
    }
  }

  // Hang the evaluated node on the selected edge; at max_depth it may be there already, and is evaluated again.
  static MUZERO_INLINE Node& expand(const Trees& trees, const Rule& rule, const Evaluation& evaluation,
                                    int32_t simulation, const Selection& selection, int32_t row, float* scratch) {
    const int32_t index = selection.node[row], action = selection.action[row];
    Node& node = trees.node(row, index);
    const bool again = index != simulation + 1;
    if (again) {
      trees.node(row, simulation + 1).visits = 0;
    } else {
      const Edges above = trees.edges(trees.node(row, selection.parent[row]));
      node.parent = selection.parent[row];
      node.action = action;
      node.prior = above.weight[action];
      node.visits = 0;
      node.next = kNone;
      above.child[action] = index;
    }
    const float discount = evaluation.discount[row];
    node.visits += 1;
    node.raw_value = node.value = evaluation.value[row];
    node.value_sum = static_cast<double>(node.value) * node.visits;
    node.reward = evaluation.reward[row];
    node.discount = discount < -1.f ? -1.f : discount > 1.f ? 1.f : discount;
    copy_logits(trees, trees.edges(node), evaluation.logits + static_cast<size_t>(row) * trees.actions);
    fresh_edges(trees, rule, trees.edges(node));
    follow(trees, rule, row, node, scratch);
    return node;
  }

  // Add the return of a leaf to all edges and nodes above it.
  static MUZERO_INLINE void back_up(const Trees& trees, const Rule& rule, int32_t row, const Node& leaf) {
    Node& root = trees.node(row, 0);
    float result = leaf.raw_value;
    for (const Node* child = &leaf; child->parent != kNone;) {
      Node& parent = trees.node(row, child->parent);
      const Edges edges = trees.edges(parent);
      const int32_t action = child->action;
      const float q = child->reward + child->discount * child->value;
      edges.q[action] = q;
      edges.visits[action] = static_cast<float>(child->visits);
      edges.weight[action] = rule.weight(child->prior, child->visits);
      result = child->reward + child->discount * result;
      parent.visits += 1;
      parent.value_sum += result;
      parent.value = static_cast<float>(parent.value_sum / parent.visits);
      if constexpr (!Rule::kLocal) {
        root.low = q < root.low ? q : root.low;
        root.high = q > root.high ? q : root.high;
      }
      child = &parent;
    }
  }

  // Follow the rule from the root to an edge without a child, or to max_depth.  fresh: index of a node made there.
  static MUZERO_INLINE void descend(const Trees& trees, const Rule& rule, int32_t row, int32_t fresh,
                                    const Selection& selection, float* scratch) {
    int32_t index = 0;
    for (int32_t depth = 1;; ++depth) {
      Node& node = trees.node(row, index);
      int32_t action = node.best, next = node.next;
      if constexpr (!Rule::kLocal) {
        action = rule.template choose<W>(view(trees, row, node, scratch));
        next = trees.edges(node).child[action];
      }
      if (next == kNone || depth == trees.max_depth) {
        selection.parent[row] = index;
        selection.action[row] = action;
        selection.node[row] = next == kNone ? fresh : next;
        return;
      }
      index = next;
    }
  }
};

}  // namespace muzero
