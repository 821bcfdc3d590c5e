;; core-instances: a memory that grows does so for all
;; returns
(component
  (core module $a (memory (export "m") 1) (func (export "grow") (drop (memory.grow (i32.const 1))))) (core instance $a (instantiate $a))
  (core module $m (import "a" "m" (memory 1)) (import "a" "grow" (func $grow)) (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "run") (result i32)
      (call $grow) (call $must (i32.eq (memory.size) (i32.const 2))) (i32.store (i32.const 100000) (i32.const 1))
      (i32.const 0)))
  (core instance $main (instantiate $m (with "a" (instance $a))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
