/* Rounds: parse 200 KB of JSON and sum what is in it. Bytes, branches, recursion. */
#include "kernel.h"
static char text[220000];
static const char* at;
static double value(void);
static void space(void) {
  while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r') ++at;
}
static unsigned string(void) {
  unsigned hash = 2166136261u;
  for (++at; *at != '"'; ++at) {
    if (*at == '\\') ++at;
    hash = (hash ^ (unsigned char)*at) * 16777619u;
  }
  ++at;
  return hash;
}
static double number(void) {
  double result = 0, scale = 1;
  int negative = *at == '-';
  at += negative;
  for (; *at >= '0' && *at <= '9'; ++at) result = result * 10 + (*at - '0');
  if (*at == '.')
    for (++at; *at >= '0' && *at <= '9'; ++at) result += (*at - '0') * (scale *= 0.1);
  return negative ? -result : result;
}
static double list(char end, int keyed) {
  double sum = 0;
  ++at;
  for (space(); *at != end; space()) {
    if (keyed) {
      sum += string() & 15;
      space();
      ++at;
    }
    sum += value();
    space();
    if (*at == ',') ++at;
  }
  ++at;
  return sum;
}
static double value(void) {
  space();
  switch (*at) {
  case '{': return list('}', 1);
  case '[': return list(']', 0);
  case '"': return string() & 255;
  case 't': at += 4; return 1;
  case 'f': at += 5; return 0;
  case 'n': at += 4; return 0;
  default: return number();
  }
}
static double work(int rounds) {
  char* out = text;
  *out++ = '[';
  while (out < text + 200000)
    out += sprintf(out, "{\"id\": %u, \"name\": \"item %u\", \"ok\": %s, \"ratio\": -%u.%u, \"tags\": [\"a\\n\", \"bc\", null]},\n ", next_random() % 10000,
                   next_random() % 100000, next_random() & 1 ? "true" : "false", next_random() % 100, next_random() % 1000);
  strcpy(out, "{}]");
  double sum = 0;
  for (int r = 0; r < rounds; ++r) {
    at = text;
    sum += value();
  }
  return sum;
}
