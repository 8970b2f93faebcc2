// The arguments of a search, read from Python.  Everything is checked before a search exists, except the numbers in
// arrays: another thread of Python can write into an array at any time, so a search checks its own copy of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "checks.h"
#include "search.h"

namespace muzero {

constexpr int64_t kMemoryLimit = int64_t{1} << 30;  // bytes of one search
constexpr int64_t kMostSimulations = 1'000'000;
constexpr int64_t kMostThreads = 256;
constexpr int64_t kMostOutcomes = 1'000'000;

// The instruction set of this name; the widest that the processor has if None.
inline Path path_of(const py::object& name) {
  const std::pair<const char*, Path> paths[] = {
      {"avx512", Path::kAvx512}, {"avx2", Path::kAvx2}, {"baseline", Path::kBaseline}};
  for (const auto& [known, path] : paths)
    if (supported(path) && (name.is_none() || is_word(name, known))) return path;
  throw py::value_error("path: expected 'baseline', 'avx2' or 'avx512', where the processor has it, got " +
                        represent(name));
}

using Normalize = std::variant<Siblings, WholeTree, Range>;

inline Normalize normalize_of(const py::object& given) {
  if (is_word(given, "siblings")) return Siblings{};
  if (is_word(given, "tree")) return WholeTree{};
  if (!PyTuple_Check(given.ptr()) || PyTuple_GET_SIZE(given.ptr()) != 2)
    throw py::value_error("normalize: expected 'siblings', 'tree' or (low, high), got " + represent(given));
  const auto range = py::reinterpret_borrow<py::tuple>(given);
  const float low = static_cast<float>(number(range[0], "normalize[0]", -kLargest, kLargest));
  const float high = static_cast<float>(number(range[1], "normalize[1]", -kLargest, kLargest));
  if (!(high - low >= 1e-6f))
    throw py::value_error("normalize: expected (low, high) with low < high, at least 1e-6 apart, got " +
                          represent(given));
  return Range(low, high);
}

// The roots of a search and its sizes: types and shapes are checked, numbers in arrays are not.
struct Roots {
  const float* logits;  // [B, decisions]
  const float* value;   // [B]
  const bool* legal;    // [B, decisions], null: all
  int64_t decisions;    // actions of the player; those beyond are outcomes of chance
  Sizes sizes;          // actions: decisions and outcomes

  Roots(const py::object& prior_logits, const py::object& values, const py::object& simulations,
        const py::object& legal_or_none, const py::object& max_depth, const py::object& threads, int64_t chance = 0) {
    // Numbers first: to read one can run Python, which could take an array's memory away.
    sizes.simulations = integer(simulations, "simulations", 1, kMostSimulations);
    sizes.max_depth = max_depth.is_none() ? sizes.simulations : integer(max_depth, "max_depth", 1, kMostSimulations);
    sizes.threads = integer(threads, "threads", 1, kMostThreads);
    logits = data<float>(prior_logits, "prior_logits", Shape(-1, -1));
    const auto array = py::reinterpret_borrow<py::array>(prior_logits);
    decisions = array.shape(1);
    sizes.batch = array.shape(0);
    sizes.actions = decisions + chance;
    value = data<float>(values, "value", Shape(sizes.batch));
    legal = legal_or_none.is_none() ? nullptr : data<bool>(legal_or_none, "legal", Shape(sizes.batch, decisions));
    const std::optional<int64_t> bytes = memory_bytes(sizes);
    if (!bytes || *bytes > kMemoryLimit)
      throw py::value_error("simulations: expected a search of at most " + std::to_string(kMemoryLimit) +
                            " bytes, got " + std::to_string(sizes.batch) + " trees of " +
                            std::to_string(sizes.simulations + 1) + " nodes with " + std::to_string(sizes.actions) +
                            " actions, which need " + (bytes ? std::to_string(*bytes) : "more than 2**63"));
  }
};

}  // namespace muzero
