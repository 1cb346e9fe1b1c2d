;; A guest that the host calls, and that calls the host `times` times.
(component
  (import "next" (func $next (param "value" u32) (result u32)))
  (core func $next (canon lower (func $next)))
  (core module $Guest
    (import "host" "next" (func $next (param i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
    (func (export "same") (param i32) (result i32) local.get 0)
    (func (export "length") (param i32 i32) (result i32) local.get 1)
    (func (export "repeat") (param $times i32) (result i32)
      (local $value i32)
      (loop $again
        (local.set $value (call $next (local.get $value)))
        (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
      local.get $value))
  (core instance $guest (instantiate $Guest (with "host" (instance (export "next" (func $next))))))
  (alias core export $guest "memory" (core memory $memory))
  (alias core export $guest "realloc" (core func $realloc))
  (func (export "same") (param "value" u32) (result u32) (canon lift (core func $guest "same")))
  (func (export "length") (param "text" string) (result u32)
    (canon lift (core func $guest "length") (memory $memory) (realloc $realloc)))
  (func (export "repeat") (param "times" u32) (result u32) (canon lift (core func $guest "repeat"))))
