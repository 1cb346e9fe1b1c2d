/* Rounds: 1 MB by table. A chain of dependent loads. */
#include "kernel.h"
static uint32_t table[256];
static uint8_t data[1 << 20];
static double work(int rounds) {
  for (uint32_t i = 0; i < 256; ++i) {
    table[i] = i;
    for (int j = 0; j < 8; ++j) table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320u : 0);
  }
  for (unsigned i = 0; i < sizeof data; ++i) data[i] = (uint8_t)next_random();
  uint32_t crc = 0;
  for (int r = 0; r < rounds; ++r)
    for (unsigned i = 0; i < sizeof data; ++i) crc = crc >> 8 ^ table[(crc ^ data[i]) & 255];
  return crc;
}
