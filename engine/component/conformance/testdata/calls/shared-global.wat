;; core-instances: core modules share a global that changes
;; returns
(component
  (core module $a (global (export "g") (mut i32) (i32.const 3)) (func (export "set") (global.set 0 (i32.const 4)))) (core instance $a (instantiate $a))
  (core module $m (import "a" "g" (global $g (mut i32))) (import "a" "set" (func $set)) (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "run") (result i32)
      (call $must (i32.eq (global.get $g) (i32.const 3))) (call $set) (call $must (i32.eq (global.get $g) (i32.const 4)))
      (i32.const 0)))
  (core instance $main (instantiate $m (with "a" (instance $a))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
