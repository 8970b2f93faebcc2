// Memory of finished searches, kept for the next ones: reusing a block avoids page faults that cost more than a small
// search.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace muzero {

struct alignas(64) Line {
  std::byte bytes[64];
};

// Blocks of finished searches, shared by all threads.
class BlockPool {
 public:
  // A block of `lines` lines, not cleared; throws std::bad_alloc.
  std::unique_ptr<Line[]> take(size_t lines) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (auto block = blocks_.begin(); block != blocks_.end(); ++block) {
        if (block->lines != lines) continue;
        std::unique_ptr<Line[]> found = std::move(block->memory);
        blocks_.erase(block);
        return found;
      }
    }
    return std::make_unique_for_overwrite<Line[]>(lines);
  }

  // Keep a block, and free the oldest if there are too many or they are too large.
  void put(std::unique_ptr<Line[]> memory, size_t lines) noexcept {
    if (!memory || lines > kMostLines) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    size_t kept = lines;
    for (const Block& block : blocks_) kept += block.lines;
    while (blocks_.size() == kMost || kept > kMostLines) {
      kept -= blocks_.front().lines;
      blocks_.erase(blocks_.begin());
    }
    blocks_.push_back({std::move(memory), lines});
  }

  static BlockPool& shared() {
    static BlockPool* const pool = new BlockPool;  // never destroyed: searches may outlive static objects
    return *pool;
  }

 private:
  struct Block {
    std::unique_ptr<Line[]> memory;
    size_t lines;
  };
  static constexpr size_t kMost = 4;                                        // blocks
  static constexpr size_t kMostLines = (size_t{128} << 20) / sizeof(Line);  // of all blocks together

  BlockPool() { blocks_.reserve(kMost); }

  std::mutex mutex_;
  std::vector<Block> blocks_;  // the oldest first
};

}  // namespace muzero
