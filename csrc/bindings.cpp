// numpy in and out of the search.  With checks.h the only file that knows pybind11, and the place of all argument
// checks: nothing is written before everything is checked.
#include <cxxabi.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <exception>
#include <utility>
#include <vector>

#include "checks.h"
#include "search.h"

using namespace muzero;

namespace {

constexpr int64_t kMemoryLimit = int64_t{1} << 30;  // bytes of one search
constexpr int64_t kMostSimulations = 1'000'000;
constexpr int64_t kMostThreads = 256;
constexpr int64_t kMostOutcomes = 1'000'000;
constexpr int32_t kNodesBetweenSignals = 256;
constexpr int64_t kWorthUnlocking = 512;  // edges of a batch below which handing over the lock costs more than the work

Path path_of(const py::object& name) {
  const std::pair<const char*, Path> paths[] = {
      {"avx512", Path::kAvx512}, {"avx2", Path::kAvx2}, {"baseline", Path::kBaseline}};
  for (const auto& [known, path] : paths)
    if (supported(path) && (name.is_none() || is_word(name, known))) return path;
  throw py::value_error("path: expected 'baseline', 'avx2' or 'avx512', where the processor has it, got " +
                        represent(name));
}

// Takes Python's lock back.  An interpreter that ends meanwhile ends the threads that ask for it by unwinding their
// stacks, and destructors on these would use Python without the lock: such a thread rests until the process is gone.
void lock_again(PyThreadState* state) {
#ifdef __GLIBCXX__
  try {
    PyEval_RestoreThread(state);
  } catch (abi::__forced_unwind&) {
    while (true) pause();
  }
#else
  PyEval_RestoreThread(state);
#endif
}

// The roots of a search, checked.
struct Roots {
  const float* logits;   // [B, A]
  const float* value;    // [B]
  const uint8_t* legal;  // [B, A], 0 or 1
  int64_t decisions;     // actions of the player; the others are outcomes of chance
  Sizes sizes;

  Roots(const py::object& prior_logits, const py::object& values, const py::object& simulations,
        const py::object& legal_or_none, const py::object& max_depth, const py::object& threads, int64_t chance = 0) {
    // Numbers first: to read one can run Python, which could take an array's memory away.
    sizes.simulations = integer(simulations, "simulations", 1, kMostSimulations);
    sizes.max_depth = max_depth.is_none() ? sizes.simulations : integer(max_depth, "max_depth", 1, kMostSimulations);
    sizes.threads = integer(threads, "threads", 1, kMostThreads);
    logits = data<float>(prior_logits, "prior_logits", Shape(-1, -1));
    const auto array = py::reinterpret_borrow<py::array>(prior_logits);
    decisions = array.shape(1);
    sizes.batch = array.shape(0), sizes.actions = decisions + chance;
    value = data<float>(values, "value", Shape(sizes.batch));
    const std::optional<int64_t> bytes = memory_bytes(sizes);
    if (!bytes || *bytes > kMemoryLimit)
      throw py::value_error("simulations: expected a search of at most " + std::to_string(kMemoryLimit) +
                            " bytes, got " + std::to_string(sizes.batch) + " trees of " +
                            std::to_string(sizes.simulations + 1) + " nodes with " + std::to_string(sizes.actions) +
                            " actions, which need " + (bytes ? std::to_string(*bytes) : "more than 2**63"));
    check_numbers(logits, sizes.batch, decisions, kAnyFloat, "prior_logits");
    check_numbers(value, sizes.batch, 1, kLargest, "value");
    check_legal(legal_or_none);
    if (chance > 0) widen();
  }

 private:
  void check_legal(const py::object& given) {
    if (given.is_none()) {
      own_legal_.assign(static_cast<size_t>(sizes.batch * decisions), 1);
      legal = own_legal_.data();
      return;
    }
    legal = reinterpret_cast<const uint8_t*>(data<bool>(given, "legal", Shape(sizes.batch, decisions)));
    for (int64_t row = 0; row < sizes.batch; ++row)
      if (std::none_of(legal + row * decisions, legal + (row + 1) * decisions, [](uint8_t x) { return x; }))
        throw py::value_error("legal[" + std::to_string(row) + "] allows no action");
  }

  // Give every row places for the outcomes of chance, none of which a root has.
  void widen() {
    const size_t size = static_cast<size_t>(sizes.batch * sizes.actions);
    std::vector<uint8_t> wide_legal(size, 0);
    own_logits_.assign(size, 0.f);
    for (int64_t row = 0; row < sizes.batch; ++row) {
      std::copy_n(logits + row * decisions, decisions, own_logits_.data() + row * sizes.actions);
      std::copy_n(legal + row * decisions, decisions, wide_legal.data() + row * sizes.actions);
    }
    own_legal_ = std::move(wide_legal);
    logits = own_logits_.data();
    legal = own_legal_.data();
  }

  std::vector<float> own_logits_;
  std::vector<uint8_t> own_legal_;
};

// A search with the order of its calls watched, and one user at a time.
class BoundSearch {
 public:
  BoundSearch(const Roots& roots, const py::object& path)
      : search(roots.sizes, path_of(path)), decisions_(roots.decisions) {}

  void start(const Roots& roots) { search.start(roots.value, roots.logits, roots.legal); }

  py::tuple select() {
    const Turn turn(busy_);
    check_select(0);
    unlocked([&] { search.select(); });
    selected_ = true;
    return selection();
  }

  void back_up(const py::object& evaluation) {
    const Turn turn(busy_);
    const Evaluation checked = check(evaluation, "backup");
    unlocked([&] { search.back_up(checked, false); });
    selected_ = false;
  }

  // back_up, then select: one crossing of the border per simulation.
  py::tuple step(const py::object& evaluation) {
    const Turn turn(busy_);
    const Evaluation checked = check(evaluation, "step");
    check_select(1);
    unlocked([&] { search.back_up(checked, true); });
    return selection();
  }

  py::tuple result() {
    const Turn turn(busy_);
    if (selected_ || search.done() == 0)
      throw std::runtime_error(selected_ ? "result: the last selection has not been backed up"
                                         : "result: nothing has been searched yet");
    const Trees& trees = search.trees();
    const py::ssize_t batch = trees.batch, actions = trees.actions;
    py::array_t<int64_t> action(batch);
    py::array_t<float> policy({batch, actions}), value(batch), q({batch, actions});
    py::array_t<int32_t> visits({batch, actions});
    search.finish(
        {action.mutable_data(), policy.mutable_data(), value.mutable_data(), visits.mutable_data(), q.mutable_data()});
    if (decisions_ == actions) return py::make_tuple(action, policy, value, visits, q);
    const auto without_chance = [&](const py::array& array) {
      return py::object(array[py::make_tuple(py::ellipsis(), py::slice(0, decisions_, 1))].attr("copy")());
    };
    return py::make_tuple(action, without_chance(policy), value, without_chance(visits), without_chance(q));
  }

  // [B, N] of one field of all nodes, `absent` where there is none.
  template <class T>
  py::array_t<T> nodes(T Node::* field, T absent) {
    const Turn turn(busy_);
    const Trees& trees = search.trees();
    py::array_t<T> result({trees.batch, trees.nodes});
    T* to = result.mutable_data();
    for (int32_t row = 0; row < trees.batch; ++row)
      for (int32_t index = 0; index < trees.nodes; ++index)
        *to++ = made(row, index) ? trees.node(row, index).*field : absent;
    return result;
  }

  // [B, N, A] of the logits of all nodes, 0 where there is none.
  py::array_t<float> logits() {
    const Turn turn(busy_);
    const Trees& trees = search.trees();
    py::array_t<float> result({trees.batch, trees.nodes, trees.actions});
    float* to = result.mutable_data();
    for (int32_t row = 0; row < trees.batch; ++row)
      for (int32_t index = 0; index < trees.nodes; ++index, to += trees.actions) {
        if (made(row, index))
          std::copy_n(Trees::logits(trees.node(row, index)), trees.actions, to);
        else
          std::fill_n(to, trees.actions, 0.f);
      }
    return result;
  }

  // [B, N, A] of the node that each edge leads to.
  py::array_t<int32_t> children() {
    const Turn turn(busy_);
    const Trees& trees = search.trees();
    py::array_t<int32_t> result({trees.batch, trees.nodes, trees.actions});
    std::fill_n(result.mutable_data(), result.size(), kNone);
    for (int32_t row = 0; row < trees.batch; ++row)
      for (int32_t index = 1; index < trees.nodes; ++index)
        if (made(row, index)) {
          const Node& node = trees.node(row, index);
          result.mutable_at(row, node.parent, node.action) = index;
        }
    return result;
  }

  Search search;

 private:
  // Holds the search for one call; a second thread is told, not let in.
  class Turn {
   public:
    explicit Turn(std::atomic_flag& busy) : busy_(busy) {
      if (busy.test_and_set(std::memory_order_acquire))
        throw std::runtime_error("this search is in use by another thread");
    }
    ~Turn() { busy_.clear(std::memory_order_release); }
    Turn(const Turn&) = delete;

   private:
    std::atomic_flag& busy_;
  };

  template <class Function>
  void unlocked(Function function) {
    if (int64_t{search.trees().batch} * search.trees().padded < kWorthUnlocking) return function();
    PyThreadState* const state = PyEval_SaveThread();
    std::exception_ptr error;
    try {
      function();
    } catch (...) {
      error = std::current_exception();
    }
    lock_again(state);
    if (error) std::rethrow_exception(error);
  }

  // Whether a node is there.  Reading all of a large search takes longer than a person waits after Ctrl-C, so signals
  // are looked at on the way.
  bool made(int32_t row, int32_t index) {
    if (index % kNodesBetweenSignals == 0 && PyErr_CheckSignals() != 0) throw py::error_already_set();
    return index <= search.done() && search.trees().node(row, index).visits > 0;
  }

  void check_select(int32_t backed_up) {
    if (selected_ && !backed_up) throw std::runtime_error("select: the last selection has not been backed up");
    if (search.done() + backed_up >= search.simulations())
      throw std::runtime_error("select: all " + std::to_string(search.simulations()) + " simulations are used");
  }

  // What expand returned: (reward, discount, value, prior_logits).
  Evaluation check(const py::object& evaluation, const char* call) {
    if (!selected_) throw std::runtime_error(std::string(call) + ": nothing has been selected");
    if (!PyTuple_Check(evaluation.ptr()) || PyTuple_GET_SIZE(evaluation.ptr()) != 4)
      throw py::type_error("expand: expected the tuple (reward, discount, value, prior_logits), got " +
                           text(py::type::of(evaluation)));
    const auto given = py::reinterpret_borrow<py::tuple>(evaluation);
    const py::ssize_t batch = search.trees().batch, actions = search.trees().actions;
    const Evaluation result = {data<float>(given[0], "expand: reward", Shape(batch)),
                               data<float>(given[1], "expand: discount", Shape(batch)),
                               data<float>(given[2], "expand: value", Shape(batch)),
                               data<float>(given[3], "expand: prior_logits", Shape(batch, actions))};
    check_numbers(result.reward, batch, 1, kLargest, "expand: reward");
    check_numbers(result.discount, batch, 1, 1.01, "expand: discount");  // beyond 1 by rounding only; clipped to 1
    check_numbers(result.value, batch, 1, kLargest, "expand: value");
    const auto own = [&](int64_t row) -> std::pair<int64_t, int64_t> {
      if (decisions_ == actions) return {0, actions};
      const bool decided = search.selection().action[row] < decisions_;
      return decided ? std::pair(decisions_, actions) : std::pair(py::ssize_t{0}, decisions_);
    };
    check_logits(result.logits, batch, actions, own, "expand: prior_logits");
    return result;
  }

  py::tuple selection() {
    const Selection chosen = search.selection();
    const size_t bytes = sizeof(int32_t) * static_cast<size_t>(search.trees().batch);
    py::tuple result(3);
    const int32_t* const from[] = {chosen.parent, chosen.action, chosen.node};
    for (int i = 0; i < 3; ++i) {
      py::array array = new_array<int32_t>(search.trees().batch);
      std::memcpy(array.mutable_data(), from[i], bytes);
      PyTuple_SET_ITEM(result.ptr(), i, array.release().ptr());
    }
    return result;
  }

  py::ssize_t decisions_;  // actions of the player
  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
  bool selected_ = false;  // the search waits for an evaluation
};

using Handle = std::unique_ptr<BoundSearch>;

using Normalize = std::variant<Siblings, WholeTree, Range>;

Normalize normalize_of(const py::object& given) {
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

Handle puct(const py::object& prior_logits, const py::object& value, const py::object& simulations,
            const py::object& legal, const py::object& c_init, const py::object& c_base, const py::object& normalize,
            const py::object& max_depth, const py::object& threads, const py::object& path) {
  const double init = number(c_init, "c_init", 0, 1e6), base = number(c_base, "c_base", 1, 1e12);
  const Normalize scale = normalize_of(normalize);
  const Roots roots(prior_logits, value, simulations, legal, max_depth, threads);
  auto result = std::make_unique<BoundSearch>(roots, path);
  std::visit([&](auto known) { result->search.use_puct(known, init, base); }, scale);
  result->start(roots);
  return result;
}

Handle stochastic(const py::object& prior_logits, const py::object& value, const py::object& simulations,
                  const py::object& chance, const py::object& legal, const py::object& c_init, const py::object& c_base,
                  const py::object& normalize, const py::object& max_depth, const py::object& threads,
                  const py::object& path) {
  const int64_t outcomes = integer(chance, "chance", 1, kMostOutcomes);
  const double init = number(c_init, "c_init", 0, 1e6), base = number(c_base, "c_base", 1, 1e12);
  const Normalize scale = normalize_of(normalize);
  const Roots roots(prior_logits, value, simulations, legal, max_depth, threads, outcomes);
  auto result = std::make_unique<BoundSearch>(roots, path);
  std::visit([&](auto known) { result->search.use_stochastic(known, init, base, roots.decisions); }, scale);
  result->start(roots);
  return result;
}

Handle gumbel(const py::object& prior_logits, const py::object& value, const py::object& simulations,
              const py::object& legal, const py::object& noise, const py::object& considered,
              const py::object& value_scale, const py::object& visit_offset, const py::object& rescale,
              const py::object& max_depth, const py::object& threads, const py::object& path) {
  const int64_t most = integer(considered, "considered", 1, kMostSimulations);
  const float scale = static_cast<float>(number(value_scale, "value_scale", 0, 1e6));
  const float offset = static_cast<float>(number(visit_offset, "visit_offset", 0, 1e6));
  if (!PyBool_Check(rescale.ptr())) throw py::type_error("rescale: expected a bool, got " + represent(rescale));
  const Roots roots(prior_logits, value, simulations, legal, max_depth, threads);
  const Sizes& sizes = roots.sizes;
  const float* noise_data = nullptr;
  if (!noise.is_none()) {
    noise_data = data<float>(noise, "noise", Shape(sizes.batch, sizes.actions));
    check_numbers(noise_data, sizes.batch, sizes.actions, kLargest, "noise");
  }
  auto result = std::make_unique<BoundSearch>(roots, path);
  result->search.use_gumbel(most, scale, offset, rescale.ptr() == Py_True, noise_data, roots.legal);
  result->start(roots);
  return result;
}

py::list paths() {
  py::list result;
  if (supported(Path::kBaseline)) result.append("baseline");
  if (supported(Path::kAvx2)) result.append("avx2");
  if (supported(Path::kAvx512)) result.append("avx512");
  return result;
}

}  // namespace

PYBIND11_MODULE(_tree, module) {
  module.doc() = "Batched search trees; use muzero.search.";
  module.attr("version") = MUZERO_VERSION;
  py::class_<BoundSearch>(module, "Search")
      .def("select", &BoundSearch::select)
      .def("backup", &BoundSearch::back_up)
      .def("step", &BoundSearch::step)
      .def("result", &BoundSearch::result)
      .def("parent", [](BoundSearch& self) { return self.nodes<int32_t>(&Node::parent, kNone); })
      .def("action", [](BoundSearch& self) { return self.nodes<int32_t>(&Node::action, kNone); })
      .def("visits", [](BoundSearch& self) { return self.nodes<int32_t>(&Node::visits, 0); })
      .def("value", [](BoundSearch& self) { return self.nodes<float>(&Node::value, 0.f); })
      .def("raw_value", [](BoundSearch& self) { return self.nodes<float>(&Node::raw_value, 0.f); })
      .def("reward", [](BoundSearch& self) { return self.nodes<float>(&Node::reward, 0.f); })
      .def("discount", [](BoundSearch& self) { return self.nodes<float>(&Node::discount, 0.f); })
      .def("prior_logits", &BoundSearch::logits)
      .def("children", &BoundSearch::children);
  module.def("puct", &puct, py::arg("prior_logits"), py::arg("value"), py::arg("simulations"), py::arg("legal"),
             py::arg("c_init"), py::arg("c_base"), py::arg("normalize"), py::arg("max_depth"), py::arg("threads") = 1,
             py::arg("path") = py::none());
  module.def("stochastic", &stochastic, py::arg("prior_logits"), py::arg("value"), py::arg("simulations"),
             py::arg("chance"), py::arg("legal"), py::arg("c_init"), py::arg("c_base"), py::arg("normalize"),
             py::arg("max_depth"), py::arg("threads") = 1, py::arg("path") = py::none());
  module.def("gumbel", &gumbel, py::arg("prior_logits"), py::arg("value"), py::arg("simulations"), py::arg("legal"),
             py::arg("noise"), py::arg("considered"), py::arg("value_scale"), py::arg("visit_offset"),
             py::arg("rescale"), py::arg("max_depth"), py::arg("threads") = 1, py::arg("path") = py::none());
  module.def("paths", &paths, "The instruction sets that this processor has, the narrowest first.");
}
