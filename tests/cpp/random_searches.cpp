// Random searches over the trees without Python, to run under sanitizers: every rule, instruction set and shape,
// ordinary and extreme numbers.  Each search is checked from outside and run twice, with one thread and with several;
// both must agree in every byte.
//
//     random_searches COUNT [SEED] [THREADS]     prints what was done; exit status 1 at the first broken promise
//     random_searches overflow                   does one simulation too many: a sanitizer must stop it
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

#include "search.h"

using namespace muzero;

namespace {

using Random = std::mt19937_64;

int64_t pick(Random& random, int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(random);
}
float normal(Random& random) { return std::normal_distribution<float>()(random); }

// The sizes, numbers and settings of a search.
struct Problem {
  Sizes sizes;
  int64_t decisions;
  int rule;  // 0 to 2: puct, 3 to 5: stochastic, by normalize; 6: gumbel
  Path path;
  double c_init;
  int64_t considered;
  bool rescale, extreme;
  uint64_t seed;

  explicit Problem(Random& random) {
    sizes.batch = pick(random, 1, 5);
    sizes.actions = pick(random, 0, 9) == 0 ? pick(random, 1, 120) : pick(random, 1, 24);
    sizes.simulations = pick(random, 0, 19) == 0 ? pick(random, 1, 150) : pick(random, 1, 24);
    sizes.max_depth = pick(random, 0, 2) == 0 ? pick(random, 1, 4) : sizes.simulations;
    sizes.threads = 1;
    rule = static_cast<int>(pick(random, 0, 6));
    decisions = sizes.actions;
    if (rule >= 3 && rule < 6) sizes.actions += pick(random, 1, 20);
    constexpr Path kPaths[] = {Path::kBaseline, Path::kAvx2, Path::kAvx512};
    do path = kPaths[pick(random, 0, 2)];
    while (!supported(path));
    c_init = pick(random, 0, 3) == 0 ? 40.0 : 1.25;
    considered = pick(random, 1, 40);
    rescale = pick(random, 0, 1);
    extreme = pick(random, 0, 9) == 0;
    seed = random();
  }

  size_t batch() const { return static_cast<size_t>(sizes.batch); }
  size_t edges() const { return static_cast<size_t>(sizes.batch * sizes.actions); }
};

// What a model says about one edge of each tree.
struct Numbers {
  std::vector<float> reward, discount, value, logits;

  Numbers(const Problem& problem, Random& random) {
    const float scale = problem.extreme ? 1e15f : 1.f;
    for (size_t row = 0; row < problem.batch(); ++row) {
      reward.push_back(pick(random, 0, 1) ? normal(random) : 0.f);
      constexpr float kDiscounts[] = {0.997f, -1.f, 0.f, 1.01f};
      discount.push_back(kDiscounts[pick(random, 0, 3)]);
      value.push_back(scale * std::min(1.f, std::max(-1.f, normal(random))));
    }
    for (size_t i = 0; i < problem.edges(); ++i)
      logits.push_back(problem.extreme ? (pick(random, 0, 1) ? 3.4e38f : -3.4e38f) : normal(random));
    // Some actions do not exist; in each half of a row, those of the player and those of chance, one does.
    for (size_t i = 0; i < problem.edges(); ++i) {
      const int64_t action = static_cast<int64_t>(i) % problem.sizes.actions;
      if (action != 0 && action != problem.decisions && pick(random, 0, 7) == 0) logits[i] = -kInfinity;
    }
  }
  void write_into(const Evaluation& evaluation) const {
    std::copy(reward.begin(), reward.end(), evaluation.reward);
    std::copy(discount.begin(), discount.end(), evaluation.discount);
    std::copy(value.begin(), value.end(), evaluation.value);
    std::copy(logits.begin(), logits.end(), evaluation.logits);
  }
};

// What a search found and did, byte by byte.
struct Found {
  std::vector<int64_t> action;
  std::vector<float> policy, value, q;
  std::vector<int32_t> visits, steps;

  bool operator==(const Found& other) const {
    const auto same = [](const auto& x, const auto& y) {
      return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size() * sizeof x[0]) == 0;
    };
    return same(action, other.action) && same(policy, other.policy) && same(value, other.value) && same(q, other.q) &&
           same(visits, other.visits) && same(steps, other.steps);
  }
};

void use_rule(Search& search, const Problem& problem, const std::vector<float>& noise,
              const std::vector<uint8_t>& legal) {
  const Range range(-2.f, 3.f);
  switch (problem.rule) {
    case 0: return search.use_puct(Siblings{}, problem.c_init, 19652.0);
    case 1: return search.use_puct(range, problem.c_init, 19652.0);
    case 2: return search.use_puct(WholeTree{}, problem.c_init, 19652.0);
    case 3: return search.use_stochastic(Siblings{}, problem.c_init, 19652.0, problem.decisions);
    case 4: return search.use_stochastic(range, problem.c_init, 19652.0, problem.decisions);
    case 5: return search.use_stochastic(WholeTree{}, problem.c_init, 19652.0, problem.decisions);
    default:
      return search.use_gumbel(problem.considered, 0.1f, 50.f, problem.rescale, 1e-8f, noise.data(), legal.data());
  }
}

// Search a problem; `extra` simulations are more than there is memory for.
Found run(const Problem& problem, int64_t threads, int extra = 0) {
  Random random(problem.seed);
  Numbers root(problem, random);
  std::vector<float> noise;
  std::vector<uint8_t> legal;
  for (size_t i = 0; i < problem.edges(); ++i) {
    const int64_t action = static_cast<int64_t>(i) % problem.sizes.actions;
    legal.push_back(action < problem.decisions && (action == 0 || pick(random, 0, 3) > 0));
    if (root.logits[i] == -kInfinity) root.logits[i] = -1.f;  // roots say it by `legal`
    noise.push_back(normal(random));
  }
  Sizes sizes = problem.sizes;
  sizes.threads = threads;
  Search search(sizes, problem.path);
  use_rule(search, problem, noise, legal);
  root.write_into(search.evaluation());
  search.start(legal.data());
  Found found;
  search.select();
  for (int64_t done = 0; done < sizes.simulations + extra; ++done) {
    const int32_t* chosen = search.selection().parent;
    found.steps.insert(found.steps.end(), chosen, chosen + 3 * problem.batch());
    Numbers(problem, random).write_into(search.evaluation());
    search.back_up(done + 1 < sizes.simulations + extra);
  }
  found.action.resize(problem.batch());
  found.value.resize(problem.batch());
  found.policy.resize(problem.edges());
  found.q.resize(problem.edges());
  found.visits.resize(problem.edges());
  search.finish({found.action.data(), found.policy.data(), found.value.data(), found.visits.data(), found.q.data()});
  for (size_t i = 0; i < problem.edges(); ++i)
    if (!legal[i] && found.visits[i] != 0) found.action[0] = kNone;  // reported by broken()
  return found;
}

// What is wrong with a result, or null.
const char* broken(const Problem& problem, const Found& found) {
  const int64_t actions = problem.sizes.actions;
  for (int64_t row = 0; row < problem.sizes.batch; ++row) {
    int64_t visits = 0;
    double share = 0;
    for (int64_t i = row * actions; i < (row + 1) * actions; ++i) {
      if (found.visits[i] < 0 || !std::isfinite(found.q[i])) return "visits or q out of range";
      if (!(found.policy[i] >= 0.f && found.policy[i] <= 1.0001f)) return "a share out of range";
      visits += found.visits[i];
      share += found.policy[i];
    }
    if (visits != problem.sizes.simulations) return "visits do not add up to the simulations";
    if (!(std::abs(share - 1) < 1e-3)) return "the policy does not add up to 1";
    if (!std::isfinite(found.value[row])) return "a value that is not finite";
    if (found.action[row] < 0 || found.action[row] >= problem.decisions) return "no such action, or an illegal visit";
    if (found.visits[row * actions + found.action[row]] == 0) return "an action without visits was chosen";
  }
  return nullptr;
}

int search_many(int64_t count, uint64_t seed, int64_t threads) {
  Random random(seed);
  int64_t simulations = 0;
  for (int64_t i = 0; i < count; ++i) {
    const Problem problem(random);
    const Found found = run(problem, 1);
    const char* fault = broken(problem, found);
    if (!fault && threads > 1 && !(run(problem, threads) == found)) fault = "threads changed the result";
    if (fault) {
      std::printf("search %lld of seed %llu: %s\n", static_cast<long long>(i), static_cast<unsigned long long>(seed),
                  fault);
      return 1;
    }
    simulations += problem.sizes.batch * problem.sizes.simulations;
  }
  std::printf("%lld searches, %lld simulations, nothing wrong\n", static_cast<long long>(count),
              static_cast<long long>(simulations));
  return 0;
}

int overflow() {
  Random random(0);
  Problem problem(random);
  problem.sizes.batch = 1;
  problem.sizes.simulations = problem.sizes.max_depth = 3;
  problem.rule = 0;
  run(problem, 1, 40);
  std::printf("nothing stopped 40 simulations too many\n");
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string first = count > 1 ? arguments[1] : "";
  if (first == "overflow") return overflow();
  const int64_t searches = std::strtoll(first.c_str(), nullptr, 10);
  if (searches < 1) {
    std::fprintf(stderr, "usage: random_searches COUNT [SEED] [THREADS] | overflow\n");
    return 2;
  }
  return search_many(searches, count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 0,
                     count > 3 ? std::strtoll(arguments[3], nullptr, 10) : 1);
}
