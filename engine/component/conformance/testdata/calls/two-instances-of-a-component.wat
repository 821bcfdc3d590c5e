;; components: instances of a component share nothing
;; returns
(component
  (component $A (core module $m (global $g (mut i32) (i32.const 0)) (func (export "f") (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g))) (core instance $i (instantiate $m)) (func (export "f") (result u32) (canon lift (core func $i "f"))))
  (instance $a (instantiate $A)) (instance $b (instantiate $A)) (core func $a (canon lower (func $a "f"))) (core func $b (canon lower (func $b "f")))
  (core module $m (import "o" "a" (func $a (result i32))) (import "o" "b" (func $b (result i32))) (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "run") (result i32)
      (call $must (i32.eq (call $a) (i32.const 1))) (call $must (i32.eq (call $a) (i32.const 2))) (call $must (i32.eq (call $b) (i32.const 1)))
      (i32.const 0)))
  (core instance $main (instantiate $m (with "o" (instance (export "a" (func $a)) (export "b" (func $b))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
