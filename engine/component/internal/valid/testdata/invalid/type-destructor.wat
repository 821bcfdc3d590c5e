;; the destructor of a resource has a type other than
(component (core module $m (func (export "d"))) (core instance $i (instantiate $m)) (alias core export $i "d" (core func $d))
  (type (resource (rep i32) (dtor (core func $d)))))
