;; "s": it is another resource
(component
  (component $a (type $r (resource (rep i32))) (export "r" (type $r)))
  (instance $one (instantiate $a)) (instance $two (instantiate $a))
  (component $c (import "r" (type $r (sub resource))) (import "s" (type (eq $r))))
  (instance (instantiate $c (with "r" (type $one "r")) (with "s" (type $two "r")))))
