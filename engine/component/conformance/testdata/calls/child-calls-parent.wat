;; may-enter: a component may call the function of the one around it that it was given
;; returns
(component
  (core module $a (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 2)))) (core instance $a (instantiate $a)) (func $f (param "n" u32) (result u32) (canon lift (core func $a "f")))
  (component $C (import "g" (func $g (param "n" u32) (result u32))) (core func $g (canon lower (func $g)))
  (core module $m (import "o" "g" (func $g (param i32) (result i32))) (func (export "f") (param i32) (result i32) (i32.add (i32.const 10) (call $g (local.get 0)))))
  (core instance $i (instantiate $m (with "o" (instance (export "g" (func $g)))))) (func (export "f") (param "n" u32) (result u32) (canon lift (core func $i "f")))) (instance $c (instantiate $C (with "g" (func $f)))) (core func $g (canon lower (func $c "f")))
  (core module $m (import "o" "g" (func $g (param i32) (result i32))) (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "run") (result i32)
      (call $must (i32.eq (call $g (i32.const 5)) (i32.const 17)))
      (i32.const 0)))
  (core instance $main (instantiate $m (with "o" (instance (export "g" (func $g))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
