;; components: a component instantiates a core module of the one around it
;; returns
(component
  (core module $M (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 4))))
  (component $B (alias outer 1 $M (core module $m)) (core instance $i (instantiate $m)) (func (export "f") (param "n" u32) (result u32) (canon lift (core func $i "f")))) (instance $b (instantiate $B))
  (core func $f (canon lower (func $b "f")))
  (core module $m (import "o" "f" (func $f (param i32) (result i32))) (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "run") (result i32)
      (call $must (i32.eq (call $f (i32.const 5)) (i32.const 9)))
      (i32.const 0)))
  (core instance $main (instantiate $m (with "o" (instance (export "f" (func $f))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
