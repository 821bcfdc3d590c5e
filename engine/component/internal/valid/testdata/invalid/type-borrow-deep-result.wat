;; the result of a function has a borrow in it
(component (import "r" (type $r (sub resource))) (type (func (result (option (list (tuple u8 (borrow $r))))))))
