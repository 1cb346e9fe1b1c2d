/* Rounds: build, walk and free trees of depth 12. The allocator is the program's own, so that all builds have the same. */
#include "kernel.h"
struct node { struct node *left, *right; };
static struct node pool[1 << 14], *free_list;
static struct node* make(int depth) {
  struct node* n = free_list;
  free_list = n->left;
  n->left = depth > 0 ? make(depth - 1) : NULL;
  n->right = depth > 0 ? make(depth - 1) : NULL;
  return n;
}
static int count(const struct node* n) { return n ? 1 + count(n->left) + count(n->right) : 0; }
static void drop(struct node* n) {
  if (n->left) drop(n->left);
  if (n->right) drop(n->right);
  n->left = free_list;
  free_list = n;
}
static double work(int rounds) {
  for (int i = 0; i < 1 << 14; ++i) pool[i].left = free_list, free_list = &pool[i];
  double sum = 0;
  for (int r = 0; r < rounds; ++r) {
    struct node* tree = make(12);
    sum += count(tree);
    drop(tree);
  }
  return sum;
}
