;; core-instances: a start function that traps ends all
;; traps: unreachable
(component
  (core module $a (func $s unreachable) (start $s)) (core instance $a (instantiate $a))
  (core module $m  (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "run") (result i32)
      
      (i32.const 0)))
  (core instance $main (instantiate $m ))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
