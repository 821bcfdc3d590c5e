;; core-instances: start functions run in the order of the instances
;; returns
(component
  (core module $a (global (export "g") (mut i32) (i32.const 1)) (func $s (global.set 0 (i32.add (i32.mul (global.get 0) (i32.const 10)) (i32.const 2)))) (start $s)) (core instance $a (instantiate $a))
  (core module $b (import "a" "g" (global (mut i32))) (func $s (global.set 0 (i32.add (i32.mul (global.get 0) (i32.const 10)) (i32.const 3)))) (start $s)) (core instance (instantiate $b (with "a" (instance $a))))
  (core module $m (import "a" "g" (global $g (mut i32))) (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "run") (result i32)
      (call $must (i32.eq (global.get $g) (i32.const 123)))
      (i32.const 0)))
  (core instance $main (instantiate $m (with "a" (instance $a))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
