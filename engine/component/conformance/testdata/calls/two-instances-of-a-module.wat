;; core-instances: instances of a module share nothing
;; returns
(component
  (core module $a (global $g (mut i32) (i32.const 0)) (func (export "next") (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g)))
  (core instance $a (instantiate $a)) (core instance $b (instantiate $a))
  (core module $m (import "a" "next" (func $a (result i32))) (import "b" "next" (func $b (result i32))) (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "run") (result i32)
      (call $must (i32.eq (call $a) (i32.const 1))) (call $must (i32.eq (call $a) (i32.const 2))) (call $must (i32.eq (call $b) (i32.const 1)))
      (i32.const 0)))
  (core instance $main (instantiate $m (with "a" (instance $a)) (with "b" (instance $b))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
