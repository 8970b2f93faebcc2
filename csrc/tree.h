// A batch of independent search trees in flat memory.
//
// Layout.  B trees of at most N nodes and exactly A actions, in one block of memory that the caller owns: tree after
// tree, and in a tree node after node.  Node 0 is the root; simulation s adds node s + 1.  A node keeps the logits of
// all its actions, but edges only for those that have been visited, in the order of their first visit: sixteen in the
// node itself, more in chunks at the end of the tree.  Edges without visits need no memory because they differ by their
// prior alone: whenever a rule goes to one of them, it is the likeliest that is left, the node's `open` action.  So a
// descent costs what has been visited and not what could be.  Memory is not cleared: what is read was written before.
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

#include "simd.h"

namespace muzero {

constexpr int32_t kNone = -1;  // all bits set: x | -1 is kNone

// Sixteen visited edges of a node, four by four, so that of a node with few edges few lines of memory are read.  Lanes
// not used yet have q, weight and key -inf, visits -1, no child, and an action that loses every tie.
struct alignas(64) Chunk {
  struct {
    float q[4];       // reward + discount * mean value of the child
    float weight[4];  // the prior as the rule wants it
    int32_t child[4];
    int32_t action[4];
  } edges[4];
  struct {
    float visits[4];  // whole numbers, in floats because rules compute with them
    float key[4];     // what orders the actions before the first visit: Rule::keys
  } more[4];          // for Gumbel only

  MUZERO_INLINE float& q(int lane) { return edges[lane / 4].q[lane % 4]; }
  MUZERO_INLINE float& weight(int lane) { return edges[lane / 4].weight[lane % 4]; }
  MUZERO_INLINE int32_t& child(int lane) { return edges[lane / 4].child[lane % 4]; }
  MUZERO_INLINE int32_t& action(int lane) { return edges[lane / 4].action[lane % 4]; }
  MUZERO_INLINE float& visits(int lane) { return more[lane / 4].visits[lane % 4]; }
  MUZERO_INLINE float& key(int lane) { return more[lane / 4].key[lane % 4]; }

  // Mark four lanes as not used.
  MUZERO_INLINE void clear(int four) {
    for (int i = 0; i < 4; ++i) {
      edges[four].q[i] = edges[four].weight[i] = more[four].key[i] = -kInfinity;
      more[four].visits[i] = -1.f;
      edges[four].child[i] = kNone;
      edges[four].action[i] = std::numeric_limits<int32_t>::max();
    }
  }
};

struct alignas(64) MoreChunks {
  Chunk chunk;
  int32_t next;  // index of the next of the same node, or kNone
};

struct alignas(64) Node {
  // What every back-up through the node reads and writes.
  double value_sum;  // of the network's value and all returns backed up to here
  int32_t parent;    // kNone at the root
  int32_t chunk;     // of the parent's edge that leads here: kNone if in the parent itself, else index of the chunk
  int32_t lane;      // and its place in the chunk
  int32_t visits;    // 0: simulation s went to a node that was there before, so this one was never made
  int32_t next;      // the child that the rule follows from here, kNone for `open` (rules with kLocal only)
  int32_t children;  // edges with visits
  int32_t more;      // first chunk beyond the node's own, or kNone
  float value;       // value_sum / visits
  float reward;      // of the edge that leads here
  float discount;
  float prior;       // of the edge that leads here, softmax over the legal actions
  float open_prior;  // of the open action; -inf if there is none
  int32_t open;      // the first by Rule::keys of the legal actions without visits, kNone if there are none
  float open_logit;  // of the open action; -inf if there is none
  // The rest.
  float raw_value;  // the network's value
  float open_mass;  // sum of exp(logit - open_logit) over the legal actions without visits (Gumbel only)
  float scale;      // exp(logit) * scale is the prior of an action
  int32_t action;   // the parent's action that leads here
  int32_t last;     // last chunk beyond the node's own, or kNone
  float low, high;  // in the root: range of all q ever seen in this tree (rules without kLocal only)
  alignas(64) Chunk edges;
  // float logits[A], padded, follows: the network's, less the largest of them; -3.4e38 at the least for a legal action,
  // -inf for an illegal or padded one.
};

// What the network said about B states, and about the steps that lead there.  Of the roots only value and logits count.
struct Evaluation {
  float* reward;    // [B]
  float* discount;  // [B]
  float* value;     // [B]
  float* logits;    // [B, A], and kLanes more that may be read and mean nothing
};

// The edges chosen by a simulation, and the index of the node to hang on each.
struct Selection {
  int32_t* parent;  // [B]
  int32_t* action;  // [B]
  int32_t* node;    // [B]
};

// The trees first .. last - 1.
struct Rows {
  int32_t first, last;
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
  size_t node_bytes;  // of a node with its logits
  size_t tree_bytes;  // of all nodes of a tree, and its chunks
  int32_t* chunks;    // [B] how many chunks a tree has used

  static MUZERO_INLINE int64_t pad(int64_t actions) { return (actions + kLanes - 1) / kLanes * kLanes; }
  static MUZERO_INLINE int64_t bytes_of_node(int64_t actions) {
    return static_cast<int64_t>(sizeof(Node)) + 4 * pad(actions);
  }
  // Each chunk beyond a node's own stands for sixteen nodes that were made before it was needed.
  static MUZERO_INLINE int64_t bytes_of_chunks(int64_t nodes) {
    return static_cast<int64_t>(sizeof(MoreChunks)) * (nodes / kLanes);
  }

  MUZERO_INLINE Node& node(int32_t row, int32_t index) const {
    return *reinterpret_cast<Node*>(memory + static_cast<size_t>(row) * tree_bytes +
                                    static_cast<size_t>(index) * node_bytes);
  }
  MUZERO_INLINE MoreChunks& more(int32_t row, int32_t index) const {  // the chunks follow the last node
    return *reinterpret_cast<MoreChunks*>(memory + static_cast<size_t>(row) * tree_bytes +
                                          static_cast<size_t>(nodes) * node_bytes +
                                          static_cast<size_t>(index) * sizeof(MoreChunks));
  }
  MUZERO_INLINE Chunk& chunk(int32_t row, Node& node, int32_t index) const {
    return index == kNone ? node.edges : more(row, index).chunk;
  }
  static MUZERO_INLINE float* logits(Node& node) { return reinterpret_cast<float*>(&node + 1); }
};

// The numbers of one edge; a place that no edge has (chunk < kNone) stands for nothing changed.
struct Edge {
  int32_t chunk, lane;
  float q, weight, visits, key;
};

// A node as a selection rule sees it; it has an edge at least.  One edge can have changed since the chunks were
// written: reading back what was just stored number by number would stall a vector load.  L is 4 if the node has no
// more edges than that, as most have, and 16 otherwise; kMore says whether there are chunks beyond the node's own.
template <int W, int L, bool kMore>
struct View {
  using V = Vector<(W < L ? W : L), L>;
  const Trees& trees;
  int32_t row;
  Node& node;
  const Node& root;
  Edge changed;

  MUZERO_INLINE bool is_root() const { return &node == &root; }

  // A chunk's edges, the changed one as it is now.
  struct Lanes {
    const Chunk& chunk;
    typename V::Ints mask;
    const Edge& changed;

    MUZERO_INLINE typename V::Floats q() const {
      return patched(changed.q, [&](int i) MUZERO_LAMBDA { return chunk.edges[i].q; });
    }
    MUZERO_INLINE typename V::Floats weight() const {
      return patched(changed.weight, [&](int i) MUZERO_LAMBDA { return chunk.edges[i].weight; });
    }
    MUZERO_INLINE typename V::Floats visits() const {
      return patched(changed.visits, [&](int i) MUZERO_LAMBDA { return chunk.more[i].visits; });
    }
    MUZERO_INLINE typename V::Floats key() const {
      return patched(changed.key, [&](int i) MUZERO_LAMBDA { return chunk.more[i].key; });
    }
    template <class Four>
    MUZERO_INLINE typename V::Floats patched(float number, Four four) const {
      return V::choose(mask, V::all(number), V::load_fours(four));
    }
  };

  // Calls function(lanes) for every chunk of the node.
  template <class Function>
  MUZERO_INLINE void for_each(Function function) const {
    function(lanes(node.edges, kNone));
    if constexpr (kMore)
      for (int32_t i = node.more; i != kNone; i = trees.more(row, i).next) function(lanes(trees.more(row, i).chunk, i));
  }

  // The child with the highest score, kNone for the open action.  score(lanes) -> Floats, -inf for unused lanes.
  // Ties go to the lowest action.
  template <class Score>
  MUZERO_INLINE int32_t best(float open_score, Score score) const {
    if constexpr (!kMore)
      return winner(
          open_score, score(lanes(node.edges, kNone)), [&](int lane) MUZERO_LAMBDA { return node.edges.action(lane); },
          [&](int lane) MUZERO_LAMBDA { return node.edges.child(lane); });
    typename V::Floats scores = V::all(-kInfinity);
    typename V::Ints action = V::all_int(trees.actions), child = V::all_int(kNone);
    for_each([&](const Lanes& these) MUZERO_LAMBDA {
      const typename V::Floats other = score(these);
      const auto& edges = these.chunk.edges;
      const typename V::Ints other_action = V::load_fours([&](int i) MUZERO_LAMBDA { return edges[i].action; });
      const typename V::Ints other_child = V::load_fours([&](int i) MUZERO_LAMBDA { return edges[i].child; });
      const typename V::Ints better =
          V::either(V::greater(other, scores), V::both(V::equal(other, scores), V::less(other_action, action)));
      scores = V::choose(better, other, scores);
      action = V::choose(better, other_action, action);
      child = V::choose(better, other_child, child);
    });
    return winner(
        open_score, scores, [&](int lane) MUZERO_LAMBDA { return V::lane(action, lane); },
        [&](int lane) MUZERO_LAMBDA { return V::lane(child, lane); });
  }

 private:
  MUZERO_INLINE Lanes lanes(const Chunk& chunk, int32_t index) const {
    const int32_t lane = !kMore || index == changed.chunk ? changed.lane : kNone;
    return {chunk, V::equal(V::lanes(0), V::all_int(lane)), changed};
  }

  template <class Action, class Child>
  MUZERO_INLINE int32_t winner(float open_score, const typename V::Floats& scores, Action action, Child child) const {
    const float highest = V::largest(scores);
    uint32_t bits = V::bits_where_equal(scores, V::all(highest));
    int lane = __builtin_ctz(bits | 1u << 16) % kLanes;  // 16 only if a number is NaN: then any edge will do
    for (bits &= bits - 1; __builtin_expect(bits != 0, 0); bits &= bits - 1)
      if (action(__builtin_ctz(bits)) < action(lane)) lane = __builtin_ctz(bits);
    // One or the other without a branch: half of such branches would be predicted wrongly, and late.
    const bool first = open_score == highest && static_cast<uint32_t>(node.open) < static_cast<uint32_t>(action(lane));
    return child(lane) | -static_cast<int32_t>((open_score > highest) | first);
  }
};

}  // namespace muzero
