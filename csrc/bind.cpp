// numpy in and out of the search.  The only file that includes pybind11, and the place of all argument checks: an array
// is taken as it is or refused, never converted, and nothing is written before everything is checked.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <atomic>
#include <string>

#include "search.h"

namespace py = pybind11;
using namespace muzero;

namespace {

constexpr int64_t kMemoryLimit = int64_t{1} << 30;  // bytes of one search
constexpr int64_t kMostSimulations = 1'000'000;
constexpr double kLargest = 1e15;  // of a reward or value, so that no sum of them overflows
constexpr double kAnyFloat = std::numeric_limits<float>::max();
constexpr int64_t kWorthUnlocking = 512;  // edges of a batch below which handing over the lock costs more than the work

std::string text(py::handle object) { return py::str(object).cast<std::string>(); }
std::string represent(py::handle object) { return py::repr(object).cast<std::string>(); }

// The shape that an array must have: [B] or [B, A]; -1 stands for any size from 1.
struct Shape {
  py::ssize_t batch, actions = 0;
  int dimensions = 1;

  explicit Shape(py::ssize_t batch) : batch(batch) {}
  Shape(py::ssize_t batch, py::ssize_t actions) : batch(batch), actions(actions), dimensions(2) {}

  bool fits(const py::array& array) const {
    if (array.ndim() != dimensions) return false;
    const auto agrees = [](py::ssize_t wanted, py::ssize_t got) { return wanted < 0 ? got >= 1 : got == wanted; };
    return agrees(batch, array.shape(0)) && (dimensions == 1 || agrees(actions, array.shape(1)));
  }
  std::string describe() const {
    const std::string first = batch < 0 ? "batch" : std::to_string(batch);
    return dimensions == 1 ? "(" + first + ",)"
                           : "(" + first + ", " + (actions < 0 ? "actions" : std::to_string(actions)) + ")";
  }
};

// Say what is wrong with an array.  Apart from the check, which must be fast.
template <class T>
[[noreturn]] void refuse(py::handle given, const char* name, const Shape& shape) {
  const std::string expected =
      std::string(name) + ": expected " + text(py::dtype::of<T>()) + " of shape " + shape.describe();
  if (!py::isinstance<py::array>(given)) throw py::type_error(expected + ", got " + text(py::type::of(given)));
  const auto array = py::reinterpret_borrow<py::array>(given);
  if (!py::isinstance<py::array_t<T>>(array) || !shape.fits(array))
    throw py::value_error(expected + ", got " + text(array.dtype()) + " of shape " + text(array.attr("shape")));
  throw py::value_error(expected + ", got one that is not C-contiguous and aligned; try numpy.ascontiguousarray");
}

// The data of an array of exactly this type and shape.
template <class T>
const T* data(py::handle given, const char* name, const Shape& shape) {
  constexpr int wanted = int{py::array::c_style} | int{py::detail::npy_api::NPY_ARRAY_ALIGNED_};
  if (py::isinstance<py::array_t<T>>(given)) {
    const auto array = py::reinterpret_borrow<py::array>(given);
    if (shape.fits(array) && (array.flags() & wanted) == wanted) return static_cast<const T*>(array.data());
  }
  refuse<T>(given, name, shape);
}

// Refuse NaN and numbers beyond +-limit in `rows` rows of `columns` numbers.
void check_numbers(const float* numbers, int64_t rows, int64_t columns, double limit, const char* name) {
  const float most = static_cast<float>(limit);
  int bad = 0;
  for (int64_t i = 0; i < rows * columns; ++i) bad |= !(std::abs(numbers[i]) <= most);
  if (!bad) return;
  int64_t i = 0;
  while (std::abs(numbers[i]) <= most) ++i;
  const std::string range =
      limit == kAnyFloat ? "a finite number"
                         : "a number from " + represent(py::float_(-limit)) + " to " + represent(py::float_(limit));
  throw py::value_error(std::string(name) + "[" + std::to_string(i / columns) + "] holds " +
                        represent(py::float_(numbers[i])) + "; expected " + range);
}

int64_t integer(py::handle given, const char* name, int64_t low, int64_t high) {
  const bool whole = PyIndex_Check(given.ptr()) && !PyBool_Check(given.ptr());
  if (whole) {
    const int64_t number = PyNumber_AsSsize_t(given.ptr(), nullptr);  // clips what does not fit
    if (PyErr_Occurred()) throw py::error_already_set();
    if (low <= number && number <= high) return number;
  }
  const std::string message = std::string(name) + ": expected an integer from " + std::to_string(low) + " to " +
                              std::to_string(high) + ", got " + represent(given);
  if (whole) throw py::value_error(message);
  throw py::type_error(message);
}

double number(py::handle given, const char* name, double low, double high) {
  const double value = PyFloat_AsDouble(given.ptr());
  const std::string message = std::string(name) + ": expected a number from " + represent(py::float_(low)) + " to " +
                              represent(py::float_(high)) + ", got " + represent(given);
  if (PyErr_Occurred()) {
    PyErr_Clear();
    throw py::type_error(message);
  }
  if (!(low <= value && value <= high)) throw py::value_error(message);
  return value;
}

Path path_of(const py::object& name) {
  const std::pair<const char*, Path> paths[] = {
      {"avx512", Path::kAvx512}, {"avx2", Path::kAvx2}, {"baseline", Path::kBaseline}};
  for (const auto& [known, path] : paths)
    if (supported(path) && (name.is_none() || text(name) == known)) return path;
  throw py::value_error("path: expected 'baseline', 'avx2' or 'avx512', where the processor has it, got " +
                        represent(name));
}

// The roots of a search, checked.
struct Roots {
  const float* logits;  // [B, A]
  const float* value;   // [B]
  py::object legal;     // [B, A] bool
  const uint8_t* mask;  // its data
  Sizes sizes;

  Roots(const py::object& prior_logits, const py::object& values, const py::object& simulations,
        const py::object& legal_or_none, const py::object& max_depth) {
    logits = data<float>(prior_logits, "prior_logits", Shape(-1, -1));
    const auto array = py::reinterpret_borrow<py::array>(prior_logits);
    sizes.batch = array.shape(0), sizes.actions = array.shape(1);
    value = data<float>(values, "value", Shape(sizes.batch));
    sizes.simulations = integer(simulations, "simulations", 1, kMostSimulations);
    sizes.max_depth = max_depth.is_none() ? sizes.simulations : integer(max_depth, "max_depth", 1, kMostSimulations);
    const std::optional<int64_t> bytes = memory_bytes(sizes);
    if (!bytes || *bytes > kMemoryLimit)
      throw py::value_error("simulations: expected a search of at most " + std::to_string(kMemoryLimit) +
                            " bytes, got " + std::to_string(sizes.batch) + " trees of " +
                            std::to_string(sizes.simulations + 1) + " nodes with " + std::to_string(sizes.actions) +
                            " actions, which need " + (bytes ? std::to_string(*bytes) : "more than 2**63"));
    check_numbers(logits, sizes.batch, sizes.actions, kAnyFloat, "prior_logits");
    check_numbers(value, sizes.batch, 1, kLargest, "value");
    check_legal(legal_or_none);
  }

 private:
  void check_legal(const py::object& given) {
    legal = given;
    if (given.is_none()) {
      auto all = py::array_t<bool>({sizes.batch, sizes.actions});
      std::fill_n(all.mutable_data(), sizes.batch * sizes.actions, true);
      legal = all;
    }
    mask = reinterpret_cast<const uint8_t*>(data<bool>(legal, "legal", Shape(sizes.batch, sizes.actions)));
    for (int64_t row = 0; row < sizes.batch; ++row)
      if (std::none_of(mask + row * sizes.actions, mask + (row + 1) * sizes.actions, [](uint8_t x) { return x; }))
        throw py::value_error("legal[" + std::to_string(row) + "] allows no action");
  }
};

// A search with the order of its calls watched, and one user at a time.
class BoundSearch {
 public:
  BoundSearch(const Roots& roots, const py::object& path) : search(roots.sizes, path_of(path)) {}

  void start(const Roots& roots) { search.start(roots.value, roots.logits, roots.mask); }

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
    if (selected_ || search.done() == 0) throw std::runtime_error("result: no simulation has been backed up, or not the last");
    const Trees& trees = search.trees();
    const py::ssize_t batch = trees.batch, actions = trees.actions;
    py::array_t<int64_t> action(batch);
    py::array_t<float> policy({batch, actions}), value(batch), q({batch, actions});
    py::array_t<int32_t> visits({batch, actions});
    search.finish({action.mutable_data(), policy.mutable_data(), value.mutable_data(), visits.mutable_data(),
                   q.mutable_data()});
    return py::make_tuple(action, policy, value, visits, q);
  }

  // [B, N] of one field of all nodes, `absent` where there is none.
  template <class T>
  py::array_t<T> nodes(T Node::*field, T absent) {
    const Turn turn(busy_);
    const Trees& trees = search.trees();
    py::array_t<T> result({trees.batch, trees.nodes});
    T* to = result.mutable_data();
    for (int32_t row = 0; row < trees.batch; ++row)
      for (int32_t index = 0; index < trees.nodes; ++index) *to++ = made(row, index) ? trees.node(row, index).*field : absent;
    return result;
  }

  // [B, N, A] of one field of all edges.
  template <class T>
  py::array_t<T> edges(T* Edges::*field, T absent) {
    const Turn turn(busy_);
    const Trees& trees = search.trees();
    py::array_t<T> result({trees.batch, trees.nodes, trees.actions});
    T* to = result.mutable_data();
    for (int32_t row = 0; row < trees.batch; ++row)
      for (int32_t index = 0; index < trees.nodes; ++index, to += trees.actions) {
        if (made(row, index))
          std::copy_n(trees.edges(trees.node(row, index)).*field, trees.actions, to);
        else
          std::fill_n(to, trees.actions, absent);
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
    const py::gil_scoped_release release;
    function();
  }

  bool made(int32_t row, int32_t index) { return index <= search.done() && search.trees().node(row, index).visits > 0; }

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
    check_numbers(result.logits, batch, actions, kAnyFloat, "expand: prior_logits");
    return result;
  }

  py::tuple selection() {
    const Selection chosen = search.selection();
    const py::ssize_t batch = search.trees().batch;
    return py::make_tuple(py::array_t<int32_t>(batch, chosen.parent), py::array_t<int32_t>(batch, chosen.action),
                          py::array_t<int32_t>(batch, chosen.node));
  }

  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
  bool selected_ = false;  // the search waits for an evaluation
};

using Handle = std::unique_ptr<BoundSearch>;

Handle puct(const py::object& prior_logits, const py::object& value, const py::object& simulations,
            const py::object& legal, const py::object& c_init, const py::object& c_base, const py::object& normalize,
            const py::object& max_depth, const py::object& path) {
  const Roots roots(prior_logits, value, simulations, legal, max_depth);
  const double init = number(c_init, "c_init", 0, 1e6), base = number(c_base, "c_base", 1, 1e12);
  auto result = std::make_unique<BoundSearch>(roots, path);
  const bool pair = PyTuple_Check(normalize.ptr()) && PyTuple_GET_SIZE(normalize.ptr()) == 2;
  if (pair) {
    const auto range = py::reinterpret_borrow<py::tuple>(normalize);
    const float low = static_cast<float>(number(range[0], "normalize[0]", -kLargest, kLargest));
    const float high = static_cast<float>(number(range[1], "normalize[1]", -kLargest, kLargest));
    if (!(high - low >= 1e-6f))
      throw py::value_error("normalize: expected (low, high) with low < high, at least 1e-6 apart, got " +
                            represent(normalize));
    result->search.use_puct(Range{low, high}, init, base);
  } else if (py::isinstance<py::str>(normalize) && text(normalize) == "siblings") {
    result->search.use_puct(Siblings{}, init, base);
  } else if (py::isinstance<py::str>(normalize) && text(normalize) == "tree") {
    result->search.use_puct(WholeTree{}, init, base);
  } else {
    throw py::value_error("normalize: expected 'siblings', 'tree' or (low, high), got " + represent(normalize));
  }
  result->start(roots);
  return result;
}

Handle gumbel(const py::object& prior_logits, const py::object& value, const py::object& simulations,
              const py::object& legal, const py::object& noise, const py::object& considered,
              const py::object& value_scale, const py::object& visit_offset, const py::object& rescale,
              const py::object& max_depth, const py::object& path) {
  const Roots roots(prior_logits, value, simulations, legal, max_depth);
  const Sizes& sizes = roots.sizes;
  const float* noise_data = nullptr;
  if (!noise.is_none()) {
    noise_data = data<float>(noise, "noise", Shape(sizes.batch, sizes.actions));
    check_numbers(noise_data, sizes.batch, sizes.actions, kLargest, "noise");
  }
  const int64_t most = integer(considered, "considered", 1, kMostSimulations);
  const float scale = static_cast<float>(number(value_scale, "value_scale", 0, 1e6));
  const float offset = static_cast<float>(number(visit_offset, "visit_offset", 0, 1e6));
  if (!PyBool_Check(rescale.ptr())) throw py::type_error("rescale: expected a bool, got " + represent(rescale));
  auto result = std::make_unique<BoundSearch>(roots, path);
  result->search.use_gumbel(most, scale, offset, rescale.ptr() == Py_True, noise_data, roots.mask);
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
      .def("prior_logits", [](BoundSearch& self) { return self.edges<float>(&Edges::logits, 0.f); })
      .def("children", [](BoundSearch& self) { return self.edges<int32_t>(&Edges::child, kNone); });
  module.def("puct", &puct, py::arg("prior_logits"), py::arg("value"), py::arg("simulations"), py::arg("legal"),
             py::arg("c_init"), py::arg("c_base"), py::arg("normalize"), py::arg("max_depth"),
             py::arg("path") = py::none());
  module.def("gumbel", &gumbel, py::arg("prior_logits"), py::arg("value"), py::arg("simulations"), py::arg("legal"),
             py::arg("noise"), py::arg("considered"), py::arg("value_scale"), py::arg("visit_offset"),
             py::arg("rescale"), py::arg("max_depth"), py::arg("path") = py::none());
  module.def("paths", &paths, "The instruction sets that this processor has, the narrowest first.");
}
