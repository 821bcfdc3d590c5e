;; core-instances: a module that is made later puts its functions where an earlier one calls them
;; returns
(component
  (core module $a (table (export "t") 1 funcref) (type $f (func (result i32))) (func (export "call") (result i32) (call_indirect (type $f) (i32.const 0)))) (core instance $a (instantiate $a))
  (core module $b (import "a" "t" (table 1 funcref)) (func $f (result i32) (i32.const 31)) (elem (i32.const 0) func $f)) (core instance (instantiate $b (with "a" (instance $a))))
  (core module $m (import "a" "call" (func $call (result i32))) (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "run") (result i32)
      (call $must (i32.eq (call $call) (i32.const 31)))
      (i32.const 0)))
  (core instance $main (instantiate $m (with "a" (instance $a))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
