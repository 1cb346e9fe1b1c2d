// A list through its elements: linking and unlinking allocate nothing, and an element that goes takes itself out.
#pragma once

namespace cusp::canon {

template <class T> struct ListLink {
  T* previous = nullptr;
  T* next = nullptr;
  bool linked = false;
};

template <class T, ListLink<T> T::* kLink> class LinkedList {
public:
  T* first() const { return first_; }
  T* last() const { return last_; }
  static T* next(const T* element) { return (element->*kLink).next; }
  static bool holds(const T* element) { return (element->*kLink).linked; }
  bool empty() const { return !first_; }

  void push_back(T* element) {
    ListLink<T>& link = element->*kLink;
    link = {last_, nullptr, true};
    (last_ ? (last_->*kLink).next : first_) = element;
    last_ = element;
  }
  // Nothing when it is in no list. REQUIRES: in no other one.
  void remove(T* element) {
    ListLink<T>& link = element->*kLink;
    if (!link.linked) return;
    (link.previous ? (link.previous->*kLink).next : first_) = link.next;
    (link.next ? (link.next->*kLink).previous : last_) = link.previous;
    link = {};
  }

private:
  T* first_ = nullptr;
  T* last_ = nullptr;
};

} // namespace cusp::canon
