(component
  (component $c (import "i" (instance $i (export "r" (type $r (sub resource))) (export "f" (func (param "a" (borrow $r))))))
    (alias export $i "r" (type $r)) (import "g" (func (result (own $r)))))
  (import "i" (instance $i (export "r" (type $r (sub resource))) (export "f" (func (param "a" (borrow $r)))) (export "more" (func))))
  (alias export $i "r" (type $r)) (import "g" (func $g (result (own $r))))
  (instance (instantiate $c (with "i" (instance $i)) (with "g" (func $g)))))
