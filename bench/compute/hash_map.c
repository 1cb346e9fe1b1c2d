/* Rounds: count the words of 400 KB of text in an open hash table. */
#include "kernel.h"
enum { SLOTS = 1 << 14, LENGTH = 400000 };
struct entry { const char* word; uint32_t length, hash, count; };
static struct entry table[SLOTS];
static char text[LENGTH + 1];
static __attribute__((noinline)) void add_word(const char* word, uint32_t length) {
  uint32_t hash = 2166136261u;
  for (uint32_t i = 0; i < length; ++i) hash = (hash ^ (uint8_t)word[i]) * 16777619u;
  for (uint32_t i = hash;; ++i) {
    struct entry* e = &table[i % SLOTS];
    if (!e->word) *e = (struct entry){word, length, hash, 0};
    if (e->hash == hash && e->length == length && memcmp(e->word, word, length) == 0) {
      ++e->count;
      return;
    }
  }
}
static double work(int rounds) {
  for (int i = 0; i < LENGTH;) {
    uint32_t word = next_random() % 5000, length = 2 + word % 9;
    for (uint32_t j = 0; j < length && i < LENGTH; ++j) text[i++] = (char)('a' + (word * 31 + j * j * 7) % 26);
    if (i < LENGTH) text[i++] = ' ';
  }
  double sum = 0;
  for (int r = 0; r < rounds; ++r) {
    memset(table, 0, sizeof table);
    for (const char *p = text, *start = text;; ++p)
      if (*p == ' ' || *p == 0) {
        if (p > start) add_word(start, (uint32_t)(p - start));
        start = p + 1;
        if (*p == 0) break;
      }
    for (int i = 0; i < SLOTS; ++i) sum += (double)table[i].count * table[i].count;
  }
  return sum;
}
