;; u16: bits beyond the type do not count
;; returns
(component
  (component $Callee

    (core module $allocator
      (memory (export "memory") 2)
      (global $next (mut i32) (i32.const 65536))
      (func (export "realloc") (param $old i32) (param $was i32) (param $align i32) (param $n i32) (result i32)
        (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1))) (i32.sub (i32.const 0) (local.get $align))))
        (global.set $next (i32.add (local.get $at) (local.get $n)))
        (memory.copy (local.get $at) (local.get $old) (select (local.get $was) (local.get $n) (i32.lt_u (local.get $was) (local.get $n))))
        (local.get $at)))
    (core instance $a (instantiate $allocator))
    (alias core export $a "memory" (core memory $memory)) (alias core export $a "realloc" (core func $realloc))
    (core module $m
      (import "a" "memory" (memory 2))
    (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func $same (param $a i32) (param $b i32) (param $n i32) (result i32)
      (loop $next
        (if (i32.eqz (local.get $n)) (then (return (i32.const 1))))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $next (i32.eq (i32.load8_u (i32.add (local.get $a) (local.get $n))) (i32.load8_u (i32.add (local.get $b) (local.get $n))))))
      (i32.const 0))
      (global $n (mut i32) (i32.const 0))

      (func (export "f") (param i32)
      (if (i32.eq (global.get $n) (i32.const 0)) (then
    (call $must (i32.eq (local.get 0) (i32.const 65535)))))
      (global.set $n (i32.add (global.get $n) (i32.const 1)))))
    (core instance $i (instantiate $m (with "a" (instance $a))))
    (func (export "f") (param "v" u16) (canon lift (core func $i "f") (memory $memory) (realloc (core func $realloc)))))
  (instance $callee (instantiate $Callee))
  (component $Caller

    (import "f" (func $f (param "v" u16)))
    (core module $allocator
      (memory (export "memory") 2)
      (global $next (mut i32) (i32.const 65536))
      (func (export "realloc") (param $old i32) (param $was i32) (param $align i32) (param $n i32) (result i32)
        (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1))) (i32.sub (i32.const 0) (local.get $align))))
        (global.set $next (i32.add (local.get $at) (local.get $n)))
        (memory.copy (local.get $at) (local.get $old) (select (local.get $was) (local.get $n) (i32.lt_u (local.get $was) (local.get $n))))
        (local.get $at)))
    (core instance $a (instantiate $allocator))
    (alias core export $a "memory" (core memory $memory)) (alias core export $a "realloc" (core func $realloc))
    (core func $f' (canon lower (func $f) (memory $memory) (realloc (core func $realloc))))
    (core module $m
      (import "a" "memory" (memory 2))
      (import "callee" "f" (func $f (param i32)))

      (func (export "run") (result i32)
      (call $f (i32.const 131071))
      (i32.const 0)))
    (core instance $main (instantiate $m (with "a" (instance $a)) (with "callee" (instance (export "f" (func $f'))))))
    (func $run (result (result)) (canon lift (core func $main "run")))
    (export "run" (func $run)))
  (instance $caller (instantiate $Caller  (with "f" (func $callee "f"))))
  (instance $cli (export "run" (func $caller "run")))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
