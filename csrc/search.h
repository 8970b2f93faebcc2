// One search: the memory of its trees, its rule, and the instruction set it runs on.  Owns everything that it reads,
// and does not know Python.  The caller checks arguments and the order of calls: start, then select and back_up in
// turns, then finish.  Before start and before each back_up it writes into evaluation().
#pragma once

#include <algorithm>
#include <cassert>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "block_pool.h"
#include "dispatch.h"
#include "thread_pool.h"

namespace muzero {

struct Sizes {
  int64_t batch, actions, simulations, max_depth, threads;
};

// Bytes that a search of this size takes, rounded up; nothing if that does not fit into 63 bits.
inline std::optional<int64_t> memory_bytes(const Sizes& sizes) {
  const int64_t nodes = sizes.simulations + 1;
  int64_t bytes = 0, rows = 0;
  if (sizes.actions > int64_t{1} << 40) return std::nullopt;
  if (__builtin_mul_overflow(nodes, Trees::bytes_of_node(sizes.actions), &bytes)) return std::nullopt;
  if (__builtin_add_overflow(bytes, Trees::bytes_of_chunks(nodes), &bytes)) return std::nullopt;
  if (__builtin_mul_overflow(sizes.batch, bytes, &bytes)) return std::nullopt;
  // A row of scratch per thread; a row of keys and an evaluation per tree.
  if (__builtin_mul_overflow(2 * sizes.batch + sizes.threads, 4 * Trees::pad(sizes.actions) + 64, &rows))
    return std::nullopt;
  if (__builtin_add_overflow(bytes, rows, &bytes)) return std::nullopt;
  if (__builtin_add_overflow(bytes, 4 * (nodes + 1), &bytes)) return std::nullopt;
  return bytes;
}

// The natural logarithm of a positive number, from exact operations only: the C library's differs between systems.
// ln m = 2 artanh((m - 1) / (m + 1)) for the mantissa m, as a series.
inline double logarithm(double x) {
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);
  if (mantissa < 0.70710678118654752) {
    mantissa *= 2;
    exponent -= 1;
  }
  const double s = (mantissa - 1) / (mantissa + 1), square = s * s;
  double series = 0;
  for (int k = 27; k >= 1; k -= 2) series = series * square + 1.0 / k;
  return 2 * s * series + exponent * 0.69314718055994531;
}

// The instruction sets, by how many floats a register holds.
enum class Path { kBaseline = 4, kAvx2 = 8, kAvx512 = 16 };

inline bool supported(Path path) {
#ifdef MUZERO_X86
  if (path == Path::kAvx2) return __builtin_cpu_supports("avx2");
  if (path == Path::kAvx512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#endif
  return path == Path::kBaseline;
}

template <class Rule>
Kernels<Rule> kernels_for(Path path) {
#ifdef MUZERO_X86
  if (path == Path::kAvx512) return kernels<16, Rule>();
  if (path == Path::kAvx2) return kernels<8, Rule>();
#endif
  assert(path == Path::kBaseline);
  return kernels<4, Rule>();
}

class Search {
 public:
  // A search without a rule yet: use_puct, use_stochastic or use_gumbel, then start.
  Search(const Sizes& sizes, Path path)
      : path_(path), threads_(static_cast<int32_t>(std::min(sizes.threads, sizes.batch))) {
    trees_.batch = static_cast<int32_t>(sizes.batch);
    trees_.nodes = static_cast<int32_t>(sizes.simulations) + 1;
    trees_.actions = static_cast<int32_t>(sizes.actions);
    trees_.max_depth = static_cast<int32_t>(sizes.max_depth);
    trees_.padded = static_cast<int32_t>(Trees::pad(sizes.actions));
    trees_.node_bytes = static_cast<size_t>(Trees::bytes_of_node(sizes.actions));
    trees_.tree_bytes = trees_.nodes * trees_.node_bytes + Trees::bytes_of_chunks(trees_.nodes);
    const size_t batch = static_cast<size_t>(trees_.batch);
    tree_lines_ = batch * (trees_.tree_bytes / sizeof(Line));
    row_lines_ = static_cast<size_t>(trees_.padded) / kLanes;
    // Trees, then a row of scratch per worker, then a row of keys per tree, then the evaluation.
    const size_t evaluation_line = tree_lines_ + row_lines_ * (batch + static_cast<size_t>(threads_.count()));
    const size_t batch_lines = lines_of(batch);
    lines_ = evaluation_line + 3 * batch_lines + lines_of(batch * static_cast<size_t>(trees_.actions) + kLanes);
    memory_ = BlockPool::shared().take(lines_);
    trees_.memory = memory_[0].bytes;
    evaluation_ = {floats(evaluation_line), floats(evaluation_line + batch_lines),
                   floats(evaluation_line + 2 * batch_lines), floats(evaluation_line + 3 * batch_lines)};
    chosen_.resize(3 * batch);
    chunks_.resize(batch);
    trees_.chunks = chunks_.data();
  }
  ~Search() { BlockPool::shared().put(std::move(memory_), lines_); }
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;

  template <class Normalize>
  void use_puct(Normalize normalize, double c_init, double c_base) {
    use(puct(normalize, c_init, c_base));
  }
  // Actions from `decisions` on are outcomes of chance.
  template <class Normalize>
  void use_stochastic(Normalize normalize, double c_init, double c_base, int64_t decisions) {
    use(Stochastic<Normalize>{puct(normalize, c_init, c_base), static_cast<int32_t>(decisions)});
  }

  // noise: [B, A], or null for none; legal: [B, A], 0 or 1.
  void use_gumbel(int64_t considered, float value_scale, float visit_offset, bool rescale, float least_range,
                  const float* noise, const uint8_t* legal) {
    float* padded = row(static_cast<size_t>(threads_.count()));
    std::fill_n(padded, static_cast<size_t>(trees_.batch) * trees_.padded, 0.f);
    for (size_t b = 0; b < static_cast<size_t>(trees_.batch); ++b) {
      const size_t actions = static_cast<size_t>(trees_.actions);
      if (noise) std::copy_n(noise + b * actions, actions, padded + b * trees_.padded);
      const int64_t allowed = actions - std::count(legal + b * actions, legal + (b + 1) * actions, 0);
      halving_.push_back(Halving::begin(static_cast<int32_t>(std::min(considered, allowed)), simulations()));
    }
    use(Gumbel{value_scale, visit_offset, rescale, least_range, padded, halving_.data()});
  }

  // Where the caller writes what the model says.
  const Evaluation& evaluation() const { return evaluation_; }

  // Make the roots from value and logits of evaluation().  legal: [B, A], 0 where not legal.
  void start(const uint8_t* legal) {
    for_rows([&](auto& rule, auto& steps, Rows rows, float* scratch) {
      steps.start(trees_, rule, rows, evaluation_, legal, scratch);
    });
  }
  // Choose an edge in each tree; see selection().
  void select() { advance(nullptr, true); }
  // Hang a node made from evaluation() on each chosen edge, and if wanted choose the next edge.
  void back_up(bool select) {
    advance(&evaluation_, select);
    done_ += 1;
  }
  void finish(const Outcome& outcome) {
    for_rows([&](auto& rule, auto& steps, Rows rows, float* scratch) {
      steps.finish(trees_, rule, rows, outcome, scratch);
    });
  }

  const Trees& trees() const { return trees_; }
  int32_t simulations() const { return trees_.nodes - 1; }
  int32_t done() const { return done_; }
  Selection selection() {
    return {chosen_.data(), chosen_.data() + trees_.batch, chosen_.data() + 2 * static_cast<size_t>(trees_.batch)};
  }

 private:
  template <class Rule>
  using Bound = std::pair<Rule, Kernels<Rule>>;

  template <class Normalize>
  Puct<Normalize> puct(Normalize normalize, double c_init, double c_base) {
    explore_.resize(static_cast<size_t>(trees_.nodes) + 1);
    for (size_t n = 0; n < explore_.size(); ++n) {
      const double visits = static_cast<double>(n);
      explore_[n] = static_cast<float>(std::sqrt(visits) * (c_init + logarithm((visits + c_base + 1) / c_base)));
    }
    return {normalize, explore_.data()};
  }
  template <class Rule>
  void use(const Rule& rule) {
    bound_ = Bound<Rule>{rule, kernels_for<Rule>(path_)};
  }
  // Calls function(rule, steps, rows, scratch) for all rows, in one part per worker.
  template <class Function>
  void for_rows(Function function) {
    std::visit(
        [&](auto& bound) {
          const int64_t batch = trees_.batch, count = threads_.count();
          const auto part = [&](int32_t worker) {
            const Rows rows = {static_cast<int32_t>(batch * worker / count),
                               static_cast<int32_t>(batch * (worker + 1) / count)};
            function(bound.first, bound.second, rows, row(static_cast<size_t>(worker)));
          };
          if (count == 1)
            part(0);
          else
            threads_.run(part);
        },
        bound_);
  }
  void advance(const Evaluation* evaluation, bool select) {
    for_rows([&](auto& rule, auto& steps, Rows rows, float*) {
      steps.advance(trees_, rule, rows, evaluation, select, done_, selection());
    });
  }
  static size_t lines_of(size_t numbers) { return (numbers + kLanes - 1) / kLanes; }
  float* floats(size_t line) { return reinterpret_cast<float*>(memory_[line].bytes); }
  float* row(size_t index) { return floats(tree_lines_ + index * row_lines_); }

  Path path_;
  ThreadPool threads_;
  Trees trees_{};
  Evaluation evaluation_{};
  size_t tree_lines_ = 0, row_lines_ = 0, lines_ = 0;
  std::unique_ptr<Line[]> memory_;
  std::vector<float> explore_;    // [N + 1], pUCT only
  std::vector<Halving> halving_;  // [B], Gumbel only
  std::vector<int32_t> chosen_;   // [3, B]
  std::vector<int32_t> chunks_;   // [B]
  std::variant<Bound<Puct<Siblings>>, Bound<Puct<Range>>, Bound<Puct<WholeTree>>, Bound<Stochastic<Siblings>>,
               Bound<Stochastic<Range>>, Bound<Stochastic<WholeTree>>, Bound<Gumbel>>
      bound_;
  int32_t done_ = 0;  // simulations backed up
};

}  // namespace muzero
