;; Components in a component: one doubles, one instantiates that twice with different numbers.
(component
  (component $adder
    (import "step" (func $step (result u32)))
    (core func $step' (canon lower (func $step)))
    (core module $m
      (import "" "step" (func $step (result i32)))
      (func (export "add") (param i32) (result i32) (i32.add (local.get 0) (call $step))))
    (core instance $i (instantiate $m (with "" (instance (export "step" (func $step'))))))
    (func (export "add") (param "n" u32) (result u32) (canon lift (core func $i "add"))))
  (component $number
    (core module $m
      (func (export "one") (result i32) i32.const 1)
      (func (export "ten") (result i32) i32.const 10))
    (core instance $i (instantiate $m))
    (func (export "one") (result u32) (canon lift (core func $i "one")))
    (func (export "ten") (result u32) (canon lift (core func $i "ten"))))
  (instance $numbers (instantiate $number))
  (instance $by-one (instantiate $adder (with "step" (func $numbers "one"))))
  (instance $by-ten (instantiate $adder (with "step" (func $numbers "ten"))))
  (export "add-one" (func $by-one "add"))
  (export "add-ten" (func $by-ten "add")))
