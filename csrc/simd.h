// Sixteen floats at a time, with the same result on every processor.
//
// Layout.  A logical vector has L lanes, 16 unless it is known that 4 will do; W says how many of them one register of
// the instruction set holds (4: SSE2 and NEON, 8: AVX2, 16: AVX-512).  Sums and maxima over lanes are folded in one
// fixed order (lane i with i + 8, then i + 4, i + 2, i + 1), and the compiler may not fuse a product with a sum
// (-ffp-contract=off), so W changes the speed and never a bit.
// Scope.   Everything depends on W, so that code compiled for one instruction set is never linked into another's path.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#define MUZERO_INLINE inline __attribute__((always_inline))
#define MUZERO_LAMBDA __attribute__((always_inline))

namespace muzero {

constexpr int kLanes = 16;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Registers: spelled out because the size may not depend on a template's parameter.
template <int W>
struct Register;
template <>
struct Register<4> {
  using Float = float __attribute__((vector_size(16)));
  using Int = int32_t __attribute__((vector_size(16)));
};
template <>
struct Register<8> {
  using Float = float __attribute__((vector_size(32)));
  using Int = int32_t __attribute__((vector_size(32)));
};
template <>
struct Register<16> {
  using Float = float __attribute__((vector_size(64)));
  using Int = int32_t __attribute__((vector_size(64)));
};

template <int W, int L = kLanes>
struct Vector {
  using Float = typename Register<W>::Float;
  using Int = typename Register<W>::Int;
  static constexpr int kParts = L / W;

  // L floats, and L integers that double as masks (all bits set: true).
  struct Floats {
    Float part[kParts];
  };
  struct Ints {
    Int part[kParts];
  };

  // One value of `function` for each part, in a loop that the compiler unrolls.
  template <class Result, class Function>
  static MUZERO_INLINE Result each(Function function) {
    Result result;
#pragma GCC unroll 4
    for (int i = 0; i < kParts; ++i) result.part[i] = function(i);
    return result;
  }

  static MUZERO_INLINE Floats load(const float* from) {  // aligned to 64 bytes
    return each<Floats>([=](int i) MUZERO_LAMBDA { return reinterpret_cast<const Float*>(from)[i]; });
  }
  // Lanes 4 i to 4 i + 3 from four(i), a pointer to floats or integers aligned to 16 bytes.
  template <class Four>
  static MUZERO_INLINE auto load_fours(Four four) {
    using Element = std::remove_cvref_t<decltype(*four(0))>;
    using Result = std::conditional_t<std::is_same_v<Element, float>, Floats, Ints>;
    using Small = std::conditional_t<std::is_same_v<Element, float>, Register<4>::Float, Register<4>::Int>;
    const auto small = [&](int i) MUZERO_LAMBDA { return *reinterpret_cast<const Small*>(four(i)); };
    return each<Result>([&](int i) MUZERO_LAMBDA {
      if constexpr (W == 4) {
        return small(i);
      } else if constexpr (W == 8) {
        return __builtin_shufflevector(small(2 * i), small(2 * i + 1), 0, 1, 2, 3, 4, 5, 6, 7);
      } else {
        const auto low = __builtin_shufflevector(small(0), small(1), 0, 1, 2, 3, 4, 5, 6, 7);
        const auto high = __builtin_shufflevector(small(2), small(3), 0, 1, 2, 3, 4, 5, 6, 7);
        return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
      }
    });
  }
  static MUZERO_INLINE int32_t lane(const Ints& x, int index) { return x.part[index / W][index % W]; }
  static MUZERO_INLINE Floats load_anywhere(const float* from) {
    Floats result;
    __builtin_memcpy(&result, from, sizeof result);
    return result;
  }
  static MUZERO_INLINE void store(float* to, const Floats& x) {  // aligned to 64 bytes
#pragma GCC unroll 4
    for (int i = 0; i < kParts; ++i) reinterpret_cast<Float*>(to)[i] = x.part[i];
  }
  static MUZERO_INLINE Floats all(float x) {
    return each<Floats>([=](int) MUZERO_LAMBDA { return x - Float{}; });  // x - 0 is x, even for -0
  }
  static MUZERO_INLINE Ints all_int(int32_t x) {
    return each<Ints>([=](int) MUZERO_LAMBDA { return x - Int{}; });
  }
  // The numbers of the lanes, counted from `first`.
  static MUZERO_INLINE Ints lanes(int32_t first) {
    return each<Ints>([=](int i) MUZERO_LAMBDA {
      Int result;
#pragma GCC unroll 16
      for (int k = 0; k < W; ++k) result[k] = W * i + k;
      return result + first;
    });
  }

  static MUZERO_INLINE Floats add(const Floats& x, const Floats& y) {
    return each<Floats>([&](int i) MUZERO_LAMBDA { return x.part[i] + y.part[i]; });
  }
  static MUZERO_INLINE Floats sub(const Floats& x, const Floats& y) {
    return each<Floats>([&](int i) MUZERO_LAMBDA { return x.part[i] - y.part[i]; });
  }
  static MUZERO_INLINE Floats mul(const Floats& x, const Floats& y) {
    return each<Floats>([&](int i) MUZERO_LAMBDA { return x.part[i] * y.part[i]; });
  }
  static MUZERO_INLINE Floats min(const Floats& x, const Floats& y) {
    return each<Floats>([&](int i) MUZERO_LAMBDA { return x.part[i] < y.part[i] ? x.part[i] : y.part[i]; });
  }
  static MUZERO_INLINE Floats max(const Floats& x, const Floats& y) {
    return each<Floats>([&](int i) MUZERO_LAMBDA { return x.part[i] > y.part[i] ? x.part[i] : y.part[i]; });
  }
  static MUZERO_INLINE Ints greater(const Floats& x, const Floats& y) {
    return each<Ints>([&](int i) MUZERO_LAMBDA { return x.part[i] > y.part[i]; });
  }
  static MUZERO_INLINE Ints equal(const Floats& x, const Floats& y) {
    return each<Ints>([&](int i) MUZERO_LAMBDA { return x.part[i] == y.part[i]; });
  }
  static MUZERO_INLINE Ints less(const Ints& x, const Ints& y) {
    return each<Ints>([&](int i) MUZERO_LAMBDA { return x.part[i] < y.part[i]; });
  }
  static MUZERO_INLINE Ints equal(const Ints& x, const Ints& y) {
    return each<Ints>([&](int i) MUZERO_LAMBDA { return x.part[i] == y.part[i]; });
  }
  static MUZERO_INLINE Ints both(const Ints& x, const Ints& y) {
    return each<Ints>([&](int i) MUZERO_LAMBDA { return x.part[i] & y.part[i]; });
  }
  static MUZERO_INLINE Ints either(const Ints& x, const Ints& y) {
    return each<Ints>([&](int i) MUZERO_LAMBDA { return x.part[i] | y.part[i]; });
  }
  static MUZERO_INLINE Floats choose(const Ints& mask, const Floats& yes, const Floats& no) {
    return each<Floats>([&](int i) MUZERO_LAMBDA { return mask.part[i] ? yes.part[i] : no.part[i]; });
  }
  static MUZERO_INLINE Ints choose(const Ints& mask, const Ints& yes, const Ints& no) {
    return each<Ints>([&](int i) MUZERO_LAMBDA { return mask.part[i] ? yes.part[i] : no.part[i]; });
  }

  // One bit per lane where x equals y, lane 0 lowest.
  static MUZERO_INLINE uint32_t bits_where_equal(const Floats& x, const Floats& y) {
#if defined(__AVX512VL__)
    if constexpr (W == 16)
      return _mm512_cmp_ps_mask(reinterpret_cast<__m512>(x.part[0]), reinterpret_cast<__m512>(y.part[0]), _CMP_EQ_OQ);
    if constexpr (W == 4 && kParts == 1)
      return _mm_cmp_ps_mask(reinterpret_cast<__m128>(x.part[0]), reinterpret_cast<__m128>(y.part[0]), _CMP_EQ_OQ);
#endif
    uint32_t result = 0;
#pragma GCC unroll 4
    for (int i = 0; i < kParts; ++i) result |= bits_of_part(x.part[i] == y.part[i]) << (W * i);
    return result;
  }
  static MUZERO_INLINE uint32_t bits_of_part(const Int& mask) {
#if defined(__AVX2__)
    if constexpr (W == 8) return static_cast<uint32_t>(_mm256_movemask_ps(reinterpret_cast<__m256>(mask)));
#endif
#if defined(__SSE2__)
    if constexpr (W == 4) return static_cast<uint32_t>(_mm_movemask_ps(reinterpret_cast<__m128>(mask)));
#endif
    uint32_t result = 0;
    for (int k = 0; k < W; ++k) result |= (mask[k] ? 1u : 0u) << k;
    return result;
  }

  // Lanes folded to one number by `combine`, in the fixed order.
  template <class Result, class Lanes, class Combine>
  static MUZERO_INLINE Result fold(const Lanes& x, Combine combine) {
    auto part = x;
#pragma GCC unroll 4
    for (int half = kParts / 2; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) part.part[i] = combine(part.part[i], part.part[i + half]);
    return fold_part<Result>(part.part[0], combine);
  }
  template <class Result, class Part, class Combine>
  static MUZERO_INLINE Result fold_part(const Part& x, Combine combine) {
    if constexpr (sizeof(Part) == 64) {
      return fold_part<Result>(combine(__builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7),
                                       __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15)),
                               combine);
    } else if constexpr (sizeof(Part) == 32) {
      return fold_part<Result>(
          combine(__builtin_shufflevector(x, x, 0, 1, 2, 3), __builtin_shufflevector(x, x, 4, 5, 6, 7)), combine);
    } else {
      const Part pairs = combine(x, __builtin_shufflevector(x, x, 2, 3, 2, 3));
      const Part single = combine(pairs, __builtin_shufflevector(pairs, pairs, 1, 1, 1, 1));
      return single[0];
    }
  }
  static MUZERO_INLINE float sum(const Floats& x) {
    return fold<float>(x, [](auto a, auto b) MUZERO_LAMBDA { return a + b; });
  }
  static MUZERO_INLINE float smallest(const Floats& x) {
    return fold<float>(x, [](auto a, auto b) MUZERO_LAMBDA { return a < b ? a : b; });
  }
  static MUZERO_INLINE float largest(const Floats& x) {
    return fold<float>(x, [](auto a, auto b) MUZERO_LAMBDA { return a > b ? a : b; });
  }
  static MUZERO_INLINE int32_t smallest(const Ints& x) {
    return fold<int32_t>(x, [](auto a, auto b) MUZERO_LAMBDA { return a < b ? a : b; });
  }

  // The smallest of x and the largest of y, in fewer steps than one after the other: -x and y share a vector from the
  // second step on.
  static MUZERO_INLINE void range(const Floats& x, const Floats& y, float& smallest_x, float& largest_y) {
    if constexpr (W == 16) {
      const Float minus = -x.part[0], other = y.part[0];
      const Float low = __builtin_shufflevector(minus, other, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
      const Float high =
          __builtin_shufflevector(minus, other, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
      Float both = low > high ? low : high;
      const Float fours = __builtin_shufflevector(both, both, 4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15);
      both = both > fours ? both : fours;
      const Float twos = __builtin_shufflevector(both, both, 2, 3, 2, 3, 6, 7, 6, 7, 10, 11, 10, 11, 14, 15, 14, 15);
      both = both > twos ? both : twos;
      const Float ones = __builtin_shufflevector(both, both, 1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 11, 11, 13, 13, 15, 15);
      both = both > ones ? both : ones;
      smallest_x = -both[0];
      largest_y = both[8];
    } else {
      smallest_x = smallest(x);
      largest_y = largest(y);
    }
  }

  // e to the power x for x <= 0, within two units in the last place; 0 below -87.  Written out because the C library's
  // differs between systems.  x = n ln 2 + r; e^r = 1 + r + r^2 g(r), g fitted at Chebyshev nodes on |r| <= ln 2 / 2.
  static MUZERO_INLINE Floats exp(const Floats& x) {
    return each<Floats>([&](int i) MUZERO_LAMBDA { return exp_of_part(x.part[i]); });
  }
  static MUZERO_INLINE Float exp_of_part(const Float& x) {
    const Float shift = Float{} + 12582912.f;  // 1.5 * 2^23: adding it rounds to an integer
    const Float low = Float{} - 87.f;
    const Float y = x > low ? x : low;
    const Float shifted = y * 1.44269504f + shift;
    const Float n = shifted - shift;
    const Float r = (y - n * 0.693359375f) - n * -2.12194440e-4f;  // ln 2 in two parts, the first exact
    Float g = Float{} + 0x1.6d43b4p-10f;
    g = g * r + 0x1.120be8p-7f;
    g = g * r + 0x1.5554e8p-5f;
    g = g * r + 0x1.5554dcp-3f;
    g = g * r + 0x1.000000p-1f;
    const Float power = (g * (r * r) + r) + 1.f;
    const Int bits = reinterpret_cast<Int>(power) + (reinterpret_cast<Int>(shifted) << 23);  // times 2^n
    return x > low ? reinterpret_cast<Float>(bits) : Float{};
  }
};

// e to the power x for one x <= 0: the same bits as in a vector.
MUZERO_INLINE float exp_of_one(float x) { return Vector<4>::exp_of_part(Vector<4>::Float{} + x)[0]; }

// The larger of two numbers, without a branch.
MUZERO_INLINE float at_least(float x, float least) {
  using One = Vector<4, 4>;
  return One::max(One::all(x), One::all(least)).part[0][0];
}

// The largest of many numbers and the lowest index that has it, taken sixteen at a time.
template <int W>
class Largest {
  using V = Vector<W>;

 public:
  // Numbers of the indices first .. first + 15, in ascending order of first.
  MUZERO_INLINE void consider(const typename V::Floats& number, int32_t first) {
    const typename V::Ints better = V::greater(number, number_);
    number_ = V::choose(better, number, number_);
    index_ = V::choose(better, V::lanes(first), index_);
  }
  MUZERO_INLINE float number() const { return V::largest(number_); }
  MUZERO_INLINE int32_t index() const {
    const typename V::Ints winners = V::equal(number_, V::all(number()));
    return V::smallest(V::choose(winners, index_, V::all_int(std::numeric_limits<int32_t>::max())));
  }

 private:
  typename V::Floats number_ = V::all(-kInfinity);
  typename V::Ints index_ = V::lanes(0);
};

}  // namespace muzero
