;; core-instances: data beyond the memory end all
;; traps: out of bounds
(component
  (core module $a (memory 1) (data (i32.const 65536) "a")) (core instance $a (instantiate $a))
  (core module $m  (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "run") (result i32)
      
      (i32.const 0)))
  (core instance $main (instantiate $m ))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
