;; it has the name "b", where "a" is needed
(component (component $c (type $r (flags "a")) (import "t" (type (eq $r)))) (type $r (flags "b")) (instance (instantiate $c (with "t" (type $r)))))
