// The module muzero._tree: one function for each kind of search, and the class of their results.  With arguments.h,
// python_search.h and checks.h the only file that knows pybind11.
#include <memory>

#include "python_search.h"

using namespace muzero;

namespace {

using Handle = std::unique_ptr<BoundSearch>;

Handle begin(const Roots& roots, const py::object& path) { return Handle(::new BoundSearch(roots, path)); }

Handle puct(const py::object& prior_logits, const py::object& value, const py::object& simulations,
            const py::object& legal, const py::object& c_init, const py::object& c_base, const py::object& normalize,
            const py::object& max_depth, const py::object& threads, const py::object& path) {
  const double init = number(c_init, "c_init", 0, 1e6), base = number(c_base, "c_base", 1, 1e12);
  const Normalize scale = normalize_of(normalize);
  Handle result = begin(Roots(prior_logits, value, simulations, legal, max_depth, threads), path);
  std::visit([&](auto known) { result->search.use_puct(known, init, base); }, scale);
  result->start();
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
  Handle result = begin(roots, path);
  std::visit([&](auto known) { result->search.use_stochastic(known, init, base, roots.decisions); }, scale);
  result->start();
  return result;
}

Handle gumbel(const py::object& prior_logits, const py::object& value, const py::object& simulations,
              const py::object& legal, const py::object& noise, const py::object& considered,
              const py::object& value_scale, const py::object& visit_offset, const py::object& rescale,
              const py::object& least_range, const py::object& max_depth, const py::object& threads,
              const py::object& path) {
  const int64_t most = integer(considered, "considered", 1, kMostSimulations);
  const float scale = static_cast<float>(number(value_scale, "value_scale", 0, 1e6));
  const float offset = static_cast<float>(number(visit_offset, "visit_offset", 0, 1e6));
  if (!PyBool_Check(rescale.ptr())) throw py::type_error("rescale: expected a bool, got " + represent(rescale));
  const float range = static_cast<float>(number(least_range, "least_range", 1e-8, 1e6));
  const Roots roots(prior_logits, value, simulations, legal, max_depth, threads);
  const Sizes& sizes = roots.sizes;
  std::vector<float> own_noise(static_cast<size_t>(sizes.batch * sizes.actions), 0.f);
  if (!noise.is_none()) {
    const float* given = data<float>(noise, "noise", Shape(sizes.batch, sizes.actions));
    copy_numbers(own_noise.data(), given, sizes.batch, sizes.actions, kLargest, "noise");
  }
  Handle result = begin(roots, path);
  result->search.use_gumbel(most, scale, offset, rescale.ptr() == Py_True, range, own_noise.data(), result->legal());
  result->start();
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
  py::class_<BoundSearch>(module, "Search", py::is_final())
      .def_static("__new__",
                  [](const py::args&, const py::kwargs&) -> py::object { throw py::type_error(BoundSearch::kNotMade); })
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
             py::arg("rescale"), py::arg("least_range"), py::arg("max_depth"), py::arg("threads") = 1,
             py::arg("path") = py::none());
  module.def("paths", &paths, "The instruction sets that this processor has, the narrowest first.");
}
