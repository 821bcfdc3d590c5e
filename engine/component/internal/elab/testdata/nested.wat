;; A component within another, instantiated twice, with what its parent lifts as an
;; argument: a resource of the outer one, which goes through both.
(component $outer
  (core module $m
    (func (export "dtor") (param i32))
    (func (export "make") (result i32) i32.const 1)
    (func (export "use") (param i32)))
  (core instance $i (instantiate $m))
  (type $r' (resource (rep i32) (dtor (core func $i "dtor"))))
  (export $r "thing" (type $r'))
  (func $make (result (own $r)) (canon lift (core func $i "make")))
  (component $inner
    (import "thing" (type $t (sub resource)))
    (import "make" (func $make (result (own $t))))
    (core func $make (canon lower (func $make)))
    (core func $drop (canon resource.drop $t))
    (core module $n
      (import "env" "make" (func (result i32)))
      (import "env" "drop" (func (param i32)))
      (func (export "go") (call 1 (call 0))))
    (core instance $j (instantiate $n (with "env" (instance (export "make" (func $make)) (export "drop" (func $drop))))))
    (func (export "go") (canon lift (core func $j "go")))
  )
  (instance $a (instantiate $inner (with "thing" (type $r)) (with "make" (func $make))))
  (instance $b (instantiate $inner (with "thing" (type $r)) (with "make" (func $make))))
  (export "a" (instance $a))
  (export "b" (instance $b))
)
