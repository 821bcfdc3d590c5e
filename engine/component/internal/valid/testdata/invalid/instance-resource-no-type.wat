;; it is another form of type
(component (component $c (import "r" (type (sub resource)))) (type $u u8) (instance (instantiate $c (with "r" (type $u)))))
