/* Rounds: 100000 steps. Floating point in structures, square roots. */
#include "kernel.h"
struct body { double x, y, z, vx, vy, vz, mass; };
static struct body bodies[5] = {
    {0, 0, 0, 0, 0, 0, 39.47},
    {4.84, -1.16, -0.10, 0.60, 2.81, -0.02, 0.037},
    {8.34, 4.12, -0.40, -1.01, 1.82, 0.008, 0.011},
    {12.89, -15.11, -0.22, 1.08, 0.86, -0.010, 0.0017},
    {15.37, -25.91, 0.17, 0.97, 0.59, -0.034, 0.0020}};
static __attribute__((noinline)) void advance(struct body* b, int count, double dt) {
  for (int i = 0; i < count; ++i)
    for (int j = i + 1; j < count; ++j) {
      double dx = b[i].x - b[j].x, dy = b[i].y - b[j].y, dz = b[i].z - b[j].z;
      double square = dx * dx + dy * dy + dz * dz;
      double magnitude = dt / (square * sqrt(square));
      b[i].vx -= dx * b[j].mass * magnitude;
      b[i].vy -= dy * b[j].mass * magnitude;
      b[i].vz -= dz * b[j].mass * magnitude;
      b[j].vx += dx * b[i].mass * magnitude;
      b[j].vy += dy * b[i].mass * magnitude;
      b[j].vz += dz * b[i].mass * magnitude;
    }
  for (int i = 0; i < count; ++i) {
    b[i].x += dt * b[i].vx;
    b[i].y += dt * b[i].vy;
    b[i].z += dt * b[i].vz;
  }
}
static double work(int rounds) {
  for (int i = 0; i < rounds * 100000; ++i) advance(bodies, 5, 0.001);
  return bodies[0].x + bodies[1].y + bodies[4].z;
}
