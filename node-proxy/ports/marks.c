#include "node-proxy/ports/marks.h"

#include <stdint.h>

enum { MARK_BITS = 2, MARK_MASK = 3, MARKS_PER_BYTE = 4 };

static uint8_t marks[HPC_MARKED_DESCRIPTORS / MARKS_PER_BYTE];

void hpc_set_mark(int fd, enum hpc_mark mark) {
  if (fd < 0 || fd >= HPC_MARKED_DESCRIPTORS || hpc_mark_of(fd) == mark) return;
  uint8_t* byte = &marks[fd / MARKS_PER_BYTE];
  const int shift = fd % MARKS_PER_BYTE * MARK_BITS;
  uint8_t before = __atomic_load_n(byte, __ATOMIC_RELAXED);
  uint8_t after;
  do {
    after = (uint8_t)((before & ~(MARK_MASK << shift)) | (int)mark << shift);
  } while (
      !__atomic_compare_exchange_n(byte, &before, after, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

enum hpc_mark hpc_mark_of(int fd) {
  if (fd < 0 || fd >= HPC_MARKED_DESCRIPTORS) return HPC_MARK_NONE;
  const uint8_t byte = __atomic_load_n(&marks[fd / MARKS_PER_BYTE], __ATOMIC_RELAXED);
  return (enum hpc_mark)(byte >> fd % MARKS_PER_BYTE * MARK_BITS & MARK_MASK);
}
