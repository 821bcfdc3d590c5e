;; type 0 is not of an instance
(component (type $u (component)) (import "i" (instance (type $u))))
