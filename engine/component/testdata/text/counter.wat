;; Exports a resource: a counter whose representation is an index in a table of numbers in memory.
;; How many destructors have run is told by "dropped".
(component
  (core module $destroys
    (global $dropped (mut i32) (i32.const 0))
    (func (export "destroy") (param i32) (global.set $dropped (i32.add (global.get $dropped) (i32.const 1))))
    (func (export "dropped") (result i32) (global.get $dropped)))
  (core instance $d (instantiate $destroys))
  (type $counter' (resource (rep i32) (dtor (core func $d "destroy"))))
  (core func $new (canon resource.new $counter'))
  (core func $rep (canon resource.rep $counter'))
  (core func $drop (canon resource.drop $counter'))
  (core module $m
    (import "counter" "new" (func $new (param i32) (result i32)))
    (memory 1)
    (global $next (mut i32) (i32.const 8))
    (func (export "make") (param $start i32) (result i32)
      (local $at i32)
      (local.set $at (global.get $next))
      (global.set $next (i32.add (local.get $at) (i32.const 4)))
      (i32.store (local.get $at) (local.get $start))
      (call $new (local.get $at)))
    (func (export "increment") (param $at i32) (result i32)
      (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (i32.const 1)))
      (i32.load (local.get $at))))
  (core instance $i (instantiate $m
    (with "counter" (instance (export "new" (func $new))))))
  ;; Takes its counter and ends it.
  (core module $ends
    (import "counter" "rep" (func $rep (param i32) (result i32)))
    (import "counter" "drop" (func $drop (param i32)))
    (func (export "finish") (param $handle i32) (result i32)
      (local $at i32)
      (local.set $at (call $rep (local.get $handle)))
      (call $drop (local.get $handle))
      (local.get $at)))
  (core instance $e (instantiate $ends
    (with "counter" (instance (export "rep" (func $rep)) (export "drop" (func $drop))))))
  (func $make (param "start" u32) (result (own $counter')) (canon lift (core func $i "make")))
  (func $increment (param "self" (borrow $counter')) (result u32) (canon lift (core func $i "increment")))
  (func $finish (param "counter" (own $counter')) (result u32) (canon lift (core func $e "finish")))
  (func $dropped (result u32) (canon lift (core func $d "dropped")))
  ;; Only an instance of a component can be exported with a resource of this one in it.
  (component $names
    (import "counter" (type $in (sub resource)))
    (import "make" (func $make (param "start" u32) (result (own $in))))
    (import "increment" (func $increment (param "self" (borrow $in)) (result u32)))
    (import "finish" (func $finish (param "counter" (own $in)) (result u32)))
    (import "dropped" (func $dropped (result u32)))
    (export $counter "counter" (type $in))
    (export "[constructor]counter" (func $make) (func (param "start" u32) (result (own $counter))))
    (export "[method]counter.increment" (func $increment) (func (param "self" (borrow $counter)) (result u32)))
    (export "finish" (func $finish) (func (param "counter" (own $counter)) (result u32)))
    (export "dropped" (func $dropped)))
  (instance $counters (instantiate $names
    (with "counter" (type $counter'))
    (with "make" (func $make))
    (with "increment" (func $increment))
    (with "finish" (func $finish))
    (with "dropped" (func $dropped))))
  (export "example:counters/counters@1.0.0" (instance $counters)))
