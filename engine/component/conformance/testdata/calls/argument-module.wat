;; components: a component is given a core module
;; returns
(component
  (core module $M (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 3))))
  (component $B (import "m" (core module $m (export "f" (func (param i32) (result i32))))) (core instance $i (instantiate $m)) (func (export "f") (param "n" u32) (result u32) (canon lift (core func $i "f")))) (instance $b (instantiate $B (with "m" (core module $M))))
  (core func $f (canon lower (func $b "f")))
  (core module $m (import "o" "f" (func $f (param i32) (result i32))) (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "run") (result i32)
      (call $must (i32.eq (call $f (i32.const 5)) (i32.const 8)))
      (i32.const 0)))
  (core instance $main (instantiate $m (with "o" (instance (export "f" (func $f))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
