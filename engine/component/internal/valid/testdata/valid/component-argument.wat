(component
  (component $o (import "c" (component (import "f" (func)) (export "r" (type (sub resource))))))
  (component $i (type $r (resource (rep i32))) (export "r" (type $r)) (export "more" (type $r)))
  (instance (instantiate $o (with "c" (component $i)))))
