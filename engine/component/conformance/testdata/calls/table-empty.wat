;; core-instances: who calls an empty element traps
;; traps: table
(component
  (core module $a (table (export "t") 1 funcref)) (core instance $a (instantiate $a))
  (core module $m (import "a" "t" (table 1 funcref)) (type $f (func (result i32))) (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "run") (result i32)
      (drop (call_indirect (type $f) (i32.const 0)))
      (i32.const 0)))
  (core instance $main (instantiate $m (with "a" (instance $a))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
