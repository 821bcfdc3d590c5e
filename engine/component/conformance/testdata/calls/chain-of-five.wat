;; components: instances of one component are given each other
;; returns
(component
  (component $A (core module $m (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))) (core instance $i (instantiate $m)) (func (export "f") (param "n" u32) (result u32) (canon lift (core func $i "f")))) (instance $a (instantiate $A)) (component $C (import "g" (func $g (param "n" u32) (result u32))) (core func $g (canon lower (func $g)))
  (core module $m (import "o" "g" (func $g (param i32) (result i32))) (func (export "f") (param i32) (result i32) (i32.add (i32.const 10) (call $g (local.get 0)))))
  (core instance $i (instantiate $m (with "o" (instance (export "g" (func $g)))))) (func (export "f") (param "n" u32) (result u32) (canon lift (core func $i "f"))))
  (instance $b (instantiate $C (with "g" (func $a "f")))) (instance $c (instantiate $C (with "g" (func $b "f")))) (instance $d (instantiate $C (with "g" (func $c "f")))) (instance $e (instantiate $C (with "g" (func $d "f"))))
  (core func $f (canon lower (func $e "f")))
  (core module $m (import "o" "f" (func $f (param i32) (result i32))) (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "run") (result i32)
      (call $must (i32.eq (call $f (i32.const 5)) (i32.const 46)))
      (i32.const 0)))
  (core instance $main (instantiate $m (with "o" (instance (export "f" (func $f))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
