// Argument checks and messages.  An array is accepted as it is or refused, never converted.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>

namespace muzero {

namespace py = pybind11;

constexpr double kLargest = 1e15;  // of a reward or value, so that no sum of them overflows
constexpr double kAnyFloat = std::numeric_limits<float>::max();

inline std::string text(py::handle object) { return py::str(object).cast<std::string>(); }
// As ASCII, since a string can hold what UTF-8 cannot.
inline std::string represent(py::handle object) {
  const auto shown = py::reinterpret_steal<py::object>(PyObject_ASCII(object.ptr()));
  if (!shown) throw py::error_already_set();
  return shown.cast<std::string>();
}
inline bool is_word(py::handle object, const char* word) {
  return PyUnicode_Check(object.ptr()) && PyUnicode_CompareWithASCIIString(object.ptr(), word) == 0;
}
// Whether the last call of Python failed because of its argument.  Other errors, such as an interrupt, are thrown.
inline bool was_refused() {
  if (!PyErr_Occurred()) return false;
  for (PyObject* const refusal : {PyExc_TypeError, PyExc_ValueError, PyExc_OverflowError}) {
    if (!PyErr_ExceptionMatches(refusal)) continue;
    PyErr_Clear();
    return true;
  }
  throw py::error_already_set();
}
inline std::string shown(double number) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.9g", number);
  return buffer;
}

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

// Raises the error that says what is wrong with an array.  Not part of the check, which must be fast.
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

// Copies `count` numbers.  Returns whether all copies lie within +-limit, which NaN does not.  What is checked is the
// copy, because another thread can write into an array of Python at any time.  Block by block, while a block is in the
// first cache.
inline bool copy_within(float* to, const float* from, int64_t count, double limit) {
  constexpr int64_t kBlock = 2048;
  const float most = static_cast<float>(limit);
  int bad = 0;
  for (int64_t first = 0; first < count; first += kBlock) {
    const int64_t size = std::min(kBlock, count - first);
    std::memcpy(to + first, from + first, sizeof(float) * static_cast<size_t>(size));
    for (int64_t i = first; i < first + size; ++i) bad |= !(std::abs(to[i]) <= most);
  }
  return !bad;
}

// Copies `rows` rows of `columns` numbers; refuses NaN and numbers beyond +-limit.
inline void copy_numbers(float* to, const float* from, int64_t rows, int64_t columns, double limit, const char* name) {
  if (copy_within(to, from, rows * columns, limit)) return;
  int64_t i = 0;
  while (std::abs(to[i]) <= static_cast<float>(limit)) ++i;
  const std::string range =
      limit == kAnyFloat ? "a finite number" : "a number from " + shown(-limit) + " to " + shown(limit);
  throw py::value_error(std::string(name) + "[" + std::to_string(i / columns) + "] holds " + shown(to[i]) +
                        "; expected " + range);
}

// Copies `rows` rows of `columns` logits; refuses NaN and infinity.  -inf is allowed: it marks an action that does not
// exist.  Of the actions that belong to a row, from own(row).first up to own(row).second, one at least must exist.
template <class Own>
void copy_logits(float* to, const float* from, int64_t rows, int64_t columns, Own own, const char* name) {
  if (copy_within(to, from, rows * columns, kAnyFloat)) return;
  constexpr float kMost = std::numeric_limits<float>::max();
  for (int64_t row = 0; row < rows; ++row) {
    const float* these = to + row * columns;
    for (int64_t i = 0; i < columns; ++i)
      if (!(these[i] <= kMost))
        throw py::value_error(std::string(name) + "[" + std::to_string(row) + "] holds " + shown(these[i]) +
                              "; expected a finite number, or -inf for an action that does not exist");
    const auto [first, last] = own(row);
    if (std::none_of(these + first, these + last, [](float logit) { return logit >= -kMost; }))
      throw py::value_error(std::string(name) + "[" + std::to_string(row) + "] is -inf from " + std::to_string(first) +
                            " to " + std::to_string(last - 1) + ", so that no action is left; expected at least one, " +
                            "and a discount of 0 where a game has ended");
  }
}

inline int64_t integer(py::handle given, const char* name, int64_t low, int64_t high) {
  bool whole = PyIndex_Check(given.ptr()) && !PyBool_Check(given.ptr());
  if (whole) {
    const int64_t number = PyNumber_AsSsize_t(given.ptr(), nullptr);  // clips what does not fit
    whole = !was_refused();
    if (whole && low <= number && number <= high) return number;
  }
  const std::string message = std::string(name) + ": expected an integer from " + std::to_string(low) + " to " +
                              std::to_string(high) + ", got " + represent(given);
  if (whole) throw py::value_error(message);
  throw py::type_error(message);
}

inline double number(py::handle given, const char* name, double low, double high) {
  const double value = PyFloat_AsDouble(given.ptr());
  const bool refused = was_refused();
  if (!refused && low <= value && value <= high) return value;
  const std::string message =
      std::string(name) + ": expected a number from " + shown(low) + " to " + shown(high) + ", got " + represent(given);
  if (refused) throw py::type_error(message);
  throw py::value_error(message);
}

// An array [size] that is not filled.  py::array_t takes more steps to make one, and every simulation needs three.
template <class T>
py::array new_array(py::ssize_t size) {
  const auto& numpy = py::detail::npy_api::get();
  const Py_intptr_t shape = size;
  PyObject* made = numpy.PyArray_NewFromDescr_(numpy.PyArray_Type_, py::dtype::of<T>().release().ptr(), 1, &shape,
                                               nullptr, nullptr, 0, nullptr);
  if (!made) throw py::error_already_set();
  return py::reinterpret_steal<py::array>(made);
}

}  // namespace muzero
