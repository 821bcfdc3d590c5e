;; may-enter: a component may call a function that it lifted itself
;; returns
(component
  (core module $a (func (export "f"))) (core instance $a (instantiate $a)) (func $f (canon lift (core func $a "f"))) (core func $f' (canon lower (func $f)))
  (core module $m (import "o" "f" (func $f)) (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "run") (result i32)
      (call $f)
      (i32.const 0)))
  (core instance $main (instantiate $m (with "o" (instance (export "f" (func $f'))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
