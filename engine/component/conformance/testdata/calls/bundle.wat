;; core-instances: exports of several instances are bundled, with other names
;; returns
(component
  (core module $a (func (export "one") (result i32) (i32.const 1)) (memory (export "m") 1)) (core instance $a (instantiate $a))
  (core module $b (func (export "one") (result i32) (i32.const 2))) (core instance $b (instantiate $b))
  (core module $m (import "x" "b" (func $b (result i32))) (import "x" "a" (func $a (result i32))) (import "x" "mem" (memory 1)) (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "run") (result i32)
      (call $must (i32.eq (call $a) (i32.const 1))) (call $must (i32.eq (call $b) (i32.const 2)))
      (i32.const 0)))
  (core instance $main (instantiate $m (with "x" (instance (export "a" (func $a "one")) (export "b" (func $b "one")) (export "mem" (memory $a "m"))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
