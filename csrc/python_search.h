// A search as Python calls it: the order of calls is checked, one thread at a time may call, and the lock of Python is
// released while the trees are searched.
#pragma once

#include <cxxabi.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <new>
#include <utility>
#include <vector>

#include "arguments.h"

namespace muzero {

constexpr int32_t kNodesBetweenSignals = 256;
constexpr int64_t kWorthUnlocking = 512;  // edges of a batch below which handing over the lock costs more than the work

// Takes Python's lock back.  An interpreter that ends meanwhile ends the threads that ask for it by unwinding their
// stacks, and destructors on these would use Python without the lock: such a thread rests until the process is gone.
inline void lock_again(PyThreadState* state) {
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

class BoundSearch {
 public:
  // A search with its roots, checked; give it a rule, then call start.
  BoundSearch(const Roots& roots, const py::object& path)
      : search(roots.sizes, path_of(path)), decisions_(roots.decisions) {
    const int64_t batch = roots.sizes.batch, actions = roots.sizes.actions;
    const Evaluation& own = search.evaluation();
    copy_numbers(own.logits, roots.logits, batch, decisions_, kAnyFloat, "prior_logits");
    // Rows make room for the outcomes of chance, of which a root has none; the last row first.
    for (int64_t row = batch - 1; row > 0; --row)
      std::memmove(own.logits + row * actions, own.logits + row * decisions_,
                   sizeof(float) * static_cast<size_t>(decisions_));
    copy_numbers(own.value, roots.value, batch, 1, kLargest, "value");
    legal_.assign(static_cast<size_t>(batch * actions), 0);
    for (int64_t row = 0; row < batch; ++row) {
      uint8_t* const legal = legal_.data() + row * actions;
      if (roots.legal)
        std::memcpy(legal, roots.legal + row * decisions_, static_cast<size_t>(decisions_));
      else
        std::fill_n(legal, decisions_, 1);
      if (std::all_of(legal, legal + decisions_, [](uint8_t x) { return x == 0; }))
        throw py::value_error("legal[" + std::to_string(row) + "] allows no action");
    }
  }

  // pybind11 calls this, and no constructor, for an object that was made by __new__; C++ uses ::new.
  static void* operator new(size_t) { throw py::type_error(kNotMade); }
  static void operator delete(void* memory) { ::operator delete(memory); }
  static constexpr const char* kNotMade = "Search: made by puct, stochastic or gumbel only";

  void start() { search.start(legal_.data()); }
  const uint8_t* legal() const { return legal_.data(); }

  py::tuple select() {
    const Turn turn(busy_);
    check_select(0);
    unlocked([&] { search.select(); });
    selected_ = true;
    return selection();
  }

  void back_up(const py::object& evaluation) {
    const Turn turn(busy_);
    take(evaluation, "backup");
    unlocked([&] { search.back_up(false); });
    selected_ = false;
  }

  // back_up, then select: one crossing of the border per simulation.
  py::tuple step(const py::object& evaluation) {
    const Turn turn(busy_);
    take(evaluation, "step");
    check_select(1);
    unlocked([&] { search.back_up(true); });
    return selection();
  }

  py::tuple result() {
    const Turn turn(busy_);
    if (selected_) throw std::runtime_error("result: the last selection has not been backed up");
    if (search.done() == 0) throw std::runtime_error("result: nothing has been searched yet");
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

  // [B, N] of one field of all nodes; `absent` for nodes that were never made.
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

  // [B, N, A] of the logits of all nodes; 0 for nodes that were never made.
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
  // Holds the search for one call; a call of a second thread meanwhile is an error.
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

  // Whether a node was made.  Reading all of a large search takes longer than a person waits after Ctrl-C, so signals
  // are handled on the way.
  bool made(int32_t row, int32_t index) {
    if (index % kNodesBetweenSignals == 0 && PyErr_CheckSignals() != 0) throw py::error_already_set();
    return index <= search.done() && search.trees().node(row, index).visits > 0;
  }

  void check_select(int32_t backed_up) {
    if (selected_ && !backed_up) throw std::runtime_error("select: the last selection has not been backed up");
    if (search.done() + backed_up >= search.simulations())
      throw std::runtime_error("select: all " + std::to_string(search.simulations()) + " simulations are used");
  }

  // Copies what expand returned, (reward, discount, value, prior_logits), and checks the copy.
  void take(const py::object& evaluation, const char* call) {
    if (!selected_) throw std::runtime_error(std::string(call) + ": nothing has been selected");
    if (!PyTuple_Check(evaluation.ptr()) || PyTuple_GET_SIZE(evaluation.ptr()) != 4)
      throw py::type_error("expand: expected the tuple (reward, discount, value, prior_logits), got " +
                           text(py::type::of(evaluation)));
    const auto given = py::reinterpret_borrow<py::tuple>(evaluation);
    const py::ssize_t batch = search.trees().batch, actions = search.trees().actions;
    const Evaluation& own = search.evaluation();
    const auto copy = [&](float* to, int index, const char* name, double limit) {
      copy_numbers(to, data<float>(given[index], name, Shape(batch)), batch, 1, limit, name);
    };
    copy(own.reward, 0, "expand: reward", kLargest);
    copy(own.discount, 1, "expand: discount", 1.01);  // beyond 1 by rounding only; clipped to 1
    copy(own.value, 2, "expand: value", kLargest);
    const auto own_actions = [&](int64_t row) -> std::pair<int64_t, int64_t> {
      if (decisions_ == actions) return {0, actions};
      const bool decided = search.selection().action[row] < decisions_;
      return decided ? std::pair(decisions_, actions) : std::pair(py::ssize_t{0}, decisions_);
    };
    const char* const name = "expand: prior_logits";
    copy_logits(own.logits, data<float>(given[3], name, Shape(batch, actions)), batch, actions, own_actions, name);
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

  py::ssize_t decisions_;       // actions of the player
  std::vector<uint8_t> legal_;  // [B, A] of the roots, 0 where not legal
  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
  bool selected_ = false;  // the search waits for an evaluation
};

}  // namespace muzero
